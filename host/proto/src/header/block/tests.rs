use proptest::prelude::*;

use super::*;

pub(in crate::header) fn name(text: &str) -> HeaderName {
    HeaderName::new(text).unwrap()
}

pub(in crate::header) fn value(text: &str) -> HeaderValue {
    HeaderValue::new(text.as_bytes()).unwrap()
}

pub(in crate::header) fn rendered(block: &HeaderBlock) -> String {
    let mut out = Vec::new();
    block.render(&mut out);
    assert_eq!(out.len(), block.size());
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_a_field() {
    let table: [(&str, &[(&str, &str)]); 12] = [
        ("", &[]),
        ("\r\n", &[]),
        ("A: b\r\nC:d\r\n\r\n", &[("A", " b"), ("C", "d")]),
        (
            "A: b\r\n  c\r\n\td\r\nE:\r\n",
            &[("A", " b\r\n  c\r\n\td"), ("E", "")],
        ),
        ("A \t: b\r\n", &[("A", " b")]),
        ("A: no line end", &[("A", " no line end")]),
        ("From a@b Mon Jan 1 00:00:00\r\nA: b\r\n", &[("A", " b")]),
        ("no field\r\n with more: x\r\nA: b\r\n", &[("A", " b")]),
        (" begins: folded\r\nA: b\r\n", &[("A", " b")]),
        (": no name\r\né: no ascii\r\nA: b\r\n", &[("A", " b")]),
        // A bare CR or LF ends a line, so that it cannot hide a field.
        (
            "A: b\nC: d\rE: f\r\n",
            &[("A", " b"), ("C", " d"), ("E", " f")],
        ),
        ("A: b\n\nC: body\r\n", &[("A", " b")]),
    ];
    for (octets, expected) in table {
        let block = HeaderBlock::parse(octets.into());
        let fields = block.fields().map(|field| (field.name(), field.value()));
        let expected: Vec<_> = expected.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
        assert_eq!(fields.collect::<Vec<_>>(), expected, "{octets:?}");
        assert_eq!(block.len(), expected.len(), "{octets:?}");
        for (index, expected) in expected.iter().enumerate() {
            let field = block.field(index).unwrap();
            assert_eq!((field.name(), field.value()), *expected, "{octets:?}");
        }
        assert_eq!(block.field(expected.len()), None);
        assert_eq!(rendered(&block), octets);
    }
}

#[test]
fn fields_by_name() {
    let block = HeaderBlock::parse(b"a: 1\r\nB:  2\r\n\t3 \r\nA: \xff\r\n\r\n".into());
    let values: Vec<_> = block.named("A").map(|field| field.value()).collect();
    assert_eq!(values, [b" 1".as_slice(), b" \xff"]);
    assert_eq!(block.text("b").as_deref(), Some("2\t3"));
    assert_eq!(block.named("a").last().unwrap().text(), None);
    assert_eq!(block.text("c"), None);
}

#[test]
fn edits() {
    use HeaderEdit::{Append, Insert, Prepend, Remove, RemoveAll, Replace, Set};
    let given = "A: 1\r\nB: 2\r\na: 3\r\n\r\n";
    let insert = |index| Insert {
        index,
        name: name("X"),
        value: value("y"),
    };
    let replace = |index| Replace {
        name: name("A"),
        index,
        value: value("new"),
    };
    let remove = |index| Remove {
        name: name("A"),
        index,
    };
    let table = [
        (
            Prepend(name("X"), value("y")),
            "X: y\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n",
        ),
        (
            Append(name("X"), value("y")),
            "A: 1\r\nB: 2\r\na: 3\r\nX: y\r\n\r\n",
        ),
        (insert(0), "X: y\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n"),
        (insert(2), "A: 1\r\nB: 2\r\nX: y\r\na: 3\r\n\r\n"),
        (insert(3), "A: 1\r\nB: 2\r\na: 3\r\nX: y\r\n\r\n"),
        (insert(usize::MAX), "A: 1\r\nB: 2\r\na: 3\r\nX: y\r\n\r\n"),
        (replace(0), "A: new\r\nB: 2\r\na: 3\r\n\r\n"),
        (replace(1), "A: 1\r\nB: 2\r\na: new\r\n\r\n"),
        (replace(2), given),
        (remove(1), "A: 1\r\nB: 2\r\n\r\n"),
        (remove(2), given),
        (RemoveAll(name("a")), "B: 2\r\n\r\n"),
        (RemoveAll(name("C")), given),
        (Set(name("a"), value("new")), "A: new\r\nB: 2\r\n\r\n"),
        (
            Set(name("B"), value("new")),
            "A: 1\r\nB: new\r\na: 3\r\n\r\n",
        ),
        (
            Set(name("C"), value("new")),
            "A: 1\r\nB: 2\r\na: 3\r\nC: new\r\n\r\n",
        ),
    ];
    for (edit, expected) in table {
        let mut block = HeaderBlock::parse(given.into());
        block.apply(&edit);
        assert_eq!(rendered(&block), expected, "{edit:?}");
        assert_eq!(
            block.len(),
            HeaderBlock::parse(expected.into()).len(),
            "{edit:?}"
        );
        assert_eq!(block.given(), given.as_bytes());
    }
}

#[test]
fn a_message_is_divided_and_mended() {
    let table = [
        ("", "", ""),
        ("\r\n", "\r\n", ""),
        ("\r\nbody", "\r\n", "body"),
        ("A: b\r\n", "A: b\r\n", ""),
        ("A: b\r\n\r\nbody\r\n", "A: b\r\n\r\n", "body\r\n"),
        ("A: b\n\nbody", "A: b\n\n", "body"),
        ("A: b\r\rbody", "A: b\r\r", "body"),
        // The empty line is missing.
        ("body\r\n", "\r\n", "body\r\n"),
        ("A: b\r\n--b\r\n", "A: b\r\n\r\n", "--b\r\n"),
        ("A: b\r--b\r", "A: b\r\r\n", "--b\r"),
        ("A: b\r\nbody", "A: b\r\n\r\n", "body"),
        ("A: b\r\n: c\r\n\r\n", "A: b\r\n\r\n", ": c\r\n\r\n"),
        (" fold\r\nA: b\r\n", "\r\n", " fold\r\nA: b\r\n"),
        ("A: b\r\nFrom a\r\n", "A: b\r\n\r\n", "From a\r\n"),
        // White space before the colon.
        (
            "A : b\r\nC\t :d\r\n e\r\n\r\n",
            "A: b\r\nC:d\r\n e\r\n\r\n",
            "",
        ),
        ("From : a@b\r\n", "From: a@b\r\n", ""),
        // The line of an mbox.
        (
            "From a\r\n b\r\nA: b\r\n",
            "X-Mailbox-Line: From a\r\n b\r\nA: b\r\n",
            "",
        ),
        (">From a\n\nA: b", "X-Mailbox-Line: >From a\n\n", "A: b"),
        ("From ", "X-Mailbox-Line: From ", ""),
        // Whoever knows the lines before an empty line knows it too.
        ("A: b\r\n\nC: d", "A: b\r\n\r\n", "C: d"),
        ("A: b\r\n\rC: d", "A: b\r\n\r\n", "C: d"),
        ("A: b\n\rC: d", "A: b\n\r\n", "C: d"),
        ("A: b\n\nC: d", "A: b\n\n", "C: d"),
        ("A: b\r\rC: d", "A: b\r\r", "C: d"),
        ("\rC: d", "\r\n", "C: d"),
        ("\nC: d", "\r\n", "C: d"),
    ];
    for (given, head, body) in table {
        let (mut block, rest) = HeaderBlock::split(given.into());
        let before = rendered(&block);
        assert_eq!(
            (before.as_str(), rest.as_slice()),
            (head, body.as_bytes()),
            "{given:?}"
        );
        assert!(given.as_bytes().starts_with(block.given()), "{given:?}");
        block.apply(&HeaderEdit::Prepend(name("T"), value("t")));
        assert_eq!(rendered(&block), format!("T: t\r\n{head}"), "{given:?}");
    }
}

#[test]
fn fields_added_to_odd_blocks() {
    let table = [
        ("", "T: t\r\nE: e\r\n"),
        ("\r\n", "T: t\r\nE: e\r\n\r\n"),
        ("A: b", "T: t\r\nA: b\r\nE: e\r\n"),
        ("From: a\r\n", "T: t\r\nFrom: a\r\nE: e\r\n"),
        ("text\r\n", "T: t\r\nE: e\r\n\r\n"),
        ("A: b\n\n", "T: t\r\nA: b\nE: e\r\n\n"),
    ];
    for (given, expected) in table {
        let (mut block, _) = HeaderBlock::split(given.into());
        block.apply(&HeaderEdit::Prepend(name("T"), value("t")));
        block.apply(&HeaderEdit::Append(name("E"), value("e")));
        assert_eq!(rendered(&block), expected, "{given:?}");
    }
}

#[test]
fn fields_of_another_block_come_above() {
    let mut above = HeaderBlock::default();
    above.apply(&HeaderEdit::Prepend(name("B"), value("2")));
    above.apply(&HeaderEdit::Prepend(name("C"), value("3")));
    let mut block = HeaderBlock::parse(b"A: 1\r\n\r\n".into());
    block.put_above(&above);
    assert_eq!(rendered(&block), "C: 3\r\nB: 2\r\nA: 1\r\n\r\n");
    assert_eq!(block.len(), 3);
    assert_eq!(block.text("b").as_deref(), Some("2"));
}

#[test]
fn an_empty_line_stays_empty_where_a_field_before_it_is_removed() {
    let mut block = HeaderBlock::parse(b"A: b\rC: d\r\n\nbody".into());
    block.apply(&HeaderEdit::RemoveAll(name("C")));
    assert_eq!(rendered(&block), "A: b\r\n\nbody");
}

#[test]
fn a_body_needs_an_empty_line_before_it() {
    for (given, expected) in [
        ("A: b\r\n", "A: b\r\n\r\n"),
        ("A: b", "A: b\r\n\r\n"),
        ("", "\r\n"),
        ("A: b\r\n\r\n", "A: b\r\n\r\n"),
    ] {
        let mut block = HeaderBlock::parse(given.into());
        block.separate();
        block.separate();
        assert_eq!(rendered(&block), expected, "{given:?}");
    }
}

pub(in crate::header) fn any_block() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "A: b", "a :c", "From x", "text", " folded", "\t", ":", "é", "\r\n", "\r\n", "\n", "\r",
        "\r\n\r\n", "\0",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

pub(in crate::header) fn any_edit() -> impl Strategy<Value = HeaderEdit> {
    let name = prop::sample::select(vec!["A", "B", "X-Long-Name"]).prop_map(name);
    let value = prop::collection::vec(1..=u8::MAX, 0..200)
        .prop_filter_map("not a value", |octets| HeaderValue::new(&octets).ok());
    (0..7_u8, name, value, 0..6_usize).prop_map(|(kind, name, value, index)| match kind {
        0 => HeaderEdit::Prepend(name, value),
        1 => HeaderEdit::Append(name, value),
        2 => HeaderEdit::Insert { index, name, value },
        3 => HeaderEdit::Replace { name, index, value },
        4 => HeaderEdit::Set(name, value),
        5 => HeaderEdit::Remove { name, index },
        _ => HeaderEdit::RemoveAll(name),
    })
}

/// A simple model of the edits in the plugin contract: a list of lines.
struct Plain(Vec<(Option<String>, Vec<u8>)>);

impl Plain {
    fn of(block: &HeaderBlock) -> Self {
        let lines = block.lines.iter().map(|line| {
            let field = line.field(&block.buffer);
            let name = field.map(|field| field.name().to_ascii_lowercase());
            (name, block.buffer[line.range.clone()].to_vec())
        });
        Self(lines.collect())
    }

    fn named(&self, name: &HeaderName, index: usize) -> Option<usize> {
        let name = name.as_str().to_ascii_lowercase();
        let is_named = |line: &usize| self.0[*line].0.as_ref() == Some(&name);
        (0..self.0.len()).filter(is_named).nth(index)
    }

    fn line(name: &str, value: &HeaderValue) -> (Option<String>, Vec<u8>) {
        let mut octets = Vec::new();
        write_field(name.as_bytes(), value, &mut octets);
        (Some(name.to_ascii_lowercase()), octets)
    }

    fn replace(&mut self, line: usize, value: &HeaderValue) {
        let octets = &self.0[line].1;
        let colon = octets.iter().position(|octet| *octet == b':').unwrap();
        let name = str::from_utf8(octets[..colon].trim_ascii_end()).unwrap();
        self.0[line] = Self::line(name, value);
    }

    fn apply(&mut self, edit: &HeaderEdit) {
        let end = self.0.len();
        match edit {
            HeaderEdit::Prepend(name, value) => {
                self.0.insert(0, Self::line(name.as_str(), value));
            }
            HeaderEdit::Append(name, value) => self.0.push(Self::line(name.as_str(), value)),
            HeaderEdit::Insert { index, name, value } => {
                let mut fields = (0..end).filter(|line| self.0[*line].0.is_some());
                let line = match index {
                    0 => 0,
                    _ => fields.nth(*index).unwrap_or(end),
                };
                self.0.insert(line, Self::line(name.as_str(), value));
            }
            HeaderEdit::Replace { name, index, value } => {
                if let Some(line) = self.named(name, *index) {
                    self.replace(line, value);
                }
            }
            HeaderEdit::Set(name, value) => match self.named(name, 0) {
                None => self.0.push(Self::line(name.as_str(), value)),
                Some(line) => {
                    self.replace(line, value);
                    while let Some(other) = self.named(name, 1) {
                        self.0.remove(other);
                    }
                }
            },
            HeaderEdit::Remove { name, index } => {
                if let Some(line) = self.named(name, *index) {
                    self.0.remove(line);
                }
            }
            HeaderEdit::RemoveAll(name) => {
                while let Some(line) = self.named(name, 0) {
                    self.0.remove(line);
                }
            }
        }
    }
}

#[test]
fn lines_that_are_no_field_do_not_slow_down_the_others() {
    let mut block = HeaderBlock::parse(("A:1\r\n".repeat(50_000) + "none\r\n").into_bytes());
    assert!((0..50_000).all(|index| block.field(index).is_some()));
    let places = block.places.get().unwrap();
    assert_eq!(places.len(), 50_000);
    block.apply(&HeaderEdit::RemoveAll(name("A")));
    assert_eq!(block.field(0), None);
    assert_eq!(rendered(&block), "none\r\n");
}

proptest! {
    #[test]
    fn edits_do_what_they_would_do_to_a_list_of_lines(
        octets in any_block(),
        edits in prop::collection::vec(any_edit(), 0..24),
    ) {
        let (mut block, _) = HeaderBlock::split(octets);
        let mut plain = Plain::of(&block);
        for edit in &edits {
            plain.apply(edit);
            block.apply(edit);
            let lines = block.lines.iter().map(|line| &block.buffer[line.range.clone()]);
            prop_assert!(lines.eq(plain.0.iter().map(|line| line.1.as_slice())), "{:?}", edit);
            for (index, field) in block.fields().enumerate() {
                prop_assert_eq!(block.field(index), Some(field));
            }
            prop_assert_eq!(block.field(block.len()), None);
            for wanted in ["a", "B", "x-long-name", "C"] {
                let fields = block.fields();
                let named = fields.filter(|field| field.name().eq_ignore_ascii_case(wanted));
                prop_assert!(block.named(wanted).eq(named));
            }
        }
    }

    #[test]
    fn an_unedited_block_stays_as_it_is(octets: Vec<u8>) {
        let mut out = Vec::new();
        HeaderBlock::parse(octets.clone()).render(&mut out);
        prop_assert_eq!(out, octets);
    }

    #[test]
    fn an_unedited_block_of_odd_lines_stays_as_it_is(octets in any_block()) {
        let mut out = Vec::new();
        HeaderBlock::parse(octets.clone()).render(&mut out);
        prop_assert_eq!(out, octets);
    }

    /// The fields of an edited block are those of the rendered and parsed block: an edit cannot inject a
    /// field.
    #[test]
    fn a_rendered_block_reads_as_it_was_edited(
        octets in any_block(),
        edits in prop::collection::vec(any_edit(), 0..8),
    ) {
        let (mut block, body) = HeaderBlock::split(octets);
        for edit in &edits {
            let before = block.len();
            block.apply(edit);
            match edit {
                HeaderEdit::Prepend(..) | HeaderEdit::Append(..) | HeaderEdit::Insert { .. } => {
                    prop_assert_eq!(block.len(), before + 1);
                }
                HeaderEdit::Replace { .. } => prop_assert_eq!(block.len(), before),
                HeaderEdit::Set(name, _) => {
                    prop_assert_eq!(block.named(name.as_str()).count(), 1);
                }
                HeaderEdit::Remove { .. } | HeaderEdit::RemoveAll(_) => {
                    prop_assert!(block.len() <= before);
                }
            }
        }
        let mut out = Vec::new();
        block.render(&mut out);
        out.extend_from_slice(&body);
        let (read, rest) = HeaderBlock::split(out);
        prop_assert!(block.fields().eq(read.fields()));
        prop_assert_eq!(rest, body);
    }

    /// Nothing is lost, and what was mended has no faults left.
    #[test]
    fn a_message_is_mended_once(octets in any_block()) {
        let (block, body) = HeaderBlock::split(octets.clone());
        let mut mended = Vec::new();
        block.render(&mut mended);
        prop_assert_eq!([block.given(), &body].concat(), octets);
        let (again, rest) = HeaderBlock::split([mended.as_slice(), &body].concat());
        prop_assert_eq!(again.given(), &mended);
        prop_assert_eq!(rest, body);
        let mut out = Vec::new();
        again.render(&mut out);
        prop_assert_eq!(out, mended);
    }

    #[test]
    fn an_added_value_survives_folding(octets in prop::collection::vec(1..=u8::MAX, 0..2000)) {
        let Ok(value) = HeaderValue::new(&octets) else {
            return Ok(());
        };
        let mut block = HeaderBlock::parse(b"A: b\r\n\r\n".into());
        block.apply(&HeaderEdit::Prepend(name("X-Name"), value.clone()));
        let field = block.field(0).unwrap();
        let unfolded = field.unfolded();
        prop_assert_eq!(&*unfolded, value.as_bytes());
        for line in field.value().split(|byte| *byte == b'\n') {
            prop_assert!(line.len() <= 998);
        }
    }
}
