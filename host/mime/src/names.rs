//! The file names of a part in every reading: whichever field, parameter and encoding a mail
//! program prefers.

use postgate_proto::header::HeaderBlock;

use super::defect::text;
use super::parameter::{MAX_PARAMETERS, Parameter, parameters};
use super::words::{decode_extended, decode_words, percent_decode};

/// The file names of a part.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The names without repetitions.
    pub(super) found: Vec<String>,
    /// True if there may be others: pieces of a name do not fit together, programs convert its charset in
    /// different ways, or there are too many.
    pub(super) is_ambiguous: bool,
}

impl Names {
    /// The names in the fields of a part. `usual` is the one that most programs use.
    pub(super) fn of(fields: &HeaderBlock, usual: Option<String>) -> Self {
        let mut names = Self::default();
        names.found.extend(usual);
        for field in fields.fields() {
            let name = field.name();
            if SIMPLE
                .iter()
                .any(|simple| name.eq_ignore_ascii_case(simple))
            {
                names.add_encoded(&text(&field));
            }
            if PARAMETRIC
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
            {
                names.read(&text(&field));
                let raw = String::from_utf8_lossy(field.value());
                names.read_variants(&raw);
            }
        }
        names
    }

    /// Reads a field as some programs do: without comments, or without the white space of folds.
    fn read_variants(&mut self, raw: &str) {
        let is_fold = raw.contains(['\r', '\n']);
        if is_fold {
            let lines = raw.split(['\r', '\n']);
            self.read(
                &lines
                    .map(|line| line.trim_matches(['\t', ' ']))
                    .collect::<String>(),
            );
        }
        if raw.contains('(') {
            self.read(&without_comments(&raw.replace(['\r', '\n'], "")));
        }
    }

    fn read(&mut self, field: &str) {
        let all = parameters(field, |name| name.ends_with("name"));
        self.is_ambiguous |= all.len() >= MAX_PARAMETERS;
        for parameter in all.iter().filter(|it| it.section.is_none()) {
            for reading in &parameter.readings {
                match parameter.is_extended {
                    true => {
                        let decoded = self.decode(reading);
                        self.add_encoded(&decoded);
                    }
                    false => self.add_plain(reading),
                }
            }
        }
        let mut pieces: Vec<_> = all.iter().filter(|it| it.section.is_some()).collect();
        pieces.sort_by(|one, other| one.name.cmp(&other.name));
        for pieces in pieces.chunk_by(|one, other| one.name == other.name) {
            self.join(pieces);
        }
    }

    /// Adds a name in several pieces, in the order of their numbers and in that of the text.
    fn join(&mut self, pieces: &[&Parameter]) {
        let mut ordered = pieces.to_vec();
        ordered.sort_by_key(|piece| piece.section);
        let numbers = ordered.iter().map(|piece| piece.section);
        self.is_ambiguous |= !numbers.eq((0..pieces.len() as u32).map(Some));
        let readings = |piece: &&Parameter| piece.readings.len();
        let all = pieces.iter().map(readings).fold(1, usize::saturating_mul);
        self.is_ambiguous |= all > MAX_JOINED;
        for order in [ordered.as_slice(), pieces] {
            for number in 0..all.min(MAX_JOINED) {
                self.add_joined(order, number);
            }
        }
    }

    /// Adds the pieces in this order. The number says which reading of each.
    fn add_joined(&mut self, pieces: &[&Parameter], mut number: usize) {
        let (mut written, mut decoded) = (String::new(), String::new());
        for piece in pieces {
            let Some(value) = piece.readings.get(number % piece.readings.len().max(1)) else {
                continue;
            };
            number /= piece.readings.len();
            written.push_str(value);
            match piece.is_extended {
                true => decoded.push_str(value),
                // What is not encoded must not be decoded with the rest.
                false => decoded.push_str(&value.replace('%', "%25")),
            }
        }
        match pieces.iter().any(|piece| piece.is_extended) {
            true => {
                let decoded = self.decode(&decoded);
                self.add_encoded(&decoded);
                let decoded = self.decode(&written);
                self.add(decoded);
            }
            false => self.add_plain(&written),
        }
    }

    fn add_plain(&mut self, name: &str) {
        self.add_encoded(name);
        if name.contains("''") {
            // Two apostrophes may be part of the name: what is before them need not be a charset.
            self.add(decode_extended(name).0);
        }
    }

    /// The text of an encoded value.
    fn decode(&mut self, value: &str) -> String {
        let (decoded, is_certain) = decode_extended(value);
        self.is_ambiguous |= !is_certain;
        decoded
    }

    /// Adds a name as it was written, and with its encoded words decoded.
    fn add_encoded(&mut self, name: &str) {
        let mut decoded = Vec::new();
        self.is_ambiguous |= !decode_words(name, &mut decoded);
        for name in decoded {
            self.add(name);
        }
        if name.contains('%') {
            self.add(String::from_utf8_lossy(&percent_decode(name)).into_owned());
        }
        self.add(name.to_owned());
    }

    fn add(&mut self, name: String) {
        match self.found.len() < MAX_NAMES {
            _ if name.trim().is_empty() || self.found.contains(&name) => {}
            true => self.found.push(name),
            false => self.is_ambiguous = true,
        }
    }
}

/// A value without what is in parentheses outside of quotes (RFC 5322 §3.2.2).
fn without_comments(value: &str) -> String {
    let mut depth = 0;
    let mut is_quoted = false;
    let keep = |character: &char| {
        match character {
            '"' if depth == 0 => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if depth > 0 => {
                depth -= 1;
                return false;
            }
            _ => {}
        }
        depth == 0
    };
    value.chars().filter(keep).collect()
}

/// The fields with file names in their parameters.
const PARAMETRIC: [&str; 2] = ["Content-Disposition", "Content-Type"];
/// The fields that are file names. Thunderbird reads both.
pub(super) const SIMPLE: [&str; 2] = ["Content-Name", "X-Sun-Data-Name"];
/// The most ways to join the pieces of a name.
const MAX_JOINED: usize = 32;
/// The most names of a part.
const MAX_NAMES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(fields: &str) -> Names {
        Names::of(&HeaderBlock::parse(fields.as_bytes().to_vec()), None)
    }

    #[test]
    fn every_reading_is_a_name() {
        let table = [
            "Content-Type: x/y; name=a.txt; name*=utf-8''a.exe",
            "Content-Type: x/y; name=\"a.exe\"\r\nContent-Disposition: attachment; filename=a.txt",
            "Content-Disposition: attachment; filename=a.txt\r\nContent-Disposition: x; filename=a.exe",
            "Content-Disposition: filename=a.exe",
            "Content-Disposition: ; filename=a.exe",
            "Content-Disposition: attachment filename=a.exe",
            "Content-Disposition: attachment; name=a.exe",
            "Content-Type: x/y; filename=a.exe",
            "Content-Disposition: attachment; filename=a.txt; filename=a.exe",
            "Content-Disposition: attachment; filename=a.txt; filename*0=a.; filename*1=exe",
            "Content-Disposition: attachment; filename*1=exe; filename*0=a.",
            "Content-Disposition: attachment; filename*0*=utf-8''a%2E; filename*1=exe",
            "Content-Disposition: attachment; filename*0=a%2E; filename*1*=%65xe",
            "Content-Disposition: attachment; filename*=iso-2022-jp'ja'a.exe",
            "Content-Disposition: attachment; filename=\"=?utf-8?q?a.e?=\r\n =?utf-8?q?xe?=\"",
            "Content-Disposition: attachment; filename==?utf-8?b?YS5leGU=?=",
            "Content-Disposition: attachment; filename*0==?utf-8?q?a.e; filename*1=xe?=",
            "Content-Disposition: attachment; filename=utf-8''a%2Eexe",
            "Content-Disposition: attachment; filename=a.exe .txt",
            "Content-Disposition: attachment; filename=(b)a.exe",
            "Content-Disposition: attachment; filename(b)=a.exe",
            "Content-Disposition: attachment; filename=\"a.\r\n\texe\"",
            "Content-Disposition: attachment; filename=\"a.\\exe\"",
            "Content-Disposition: attachment; filename\u{b}=a.exe",
            "Content-Disposition: attachment; filename\u{c}\u{1c}=\u{a0}a.exe",
            "Content-Disposition: attachment; filename\u{85}=\"a.exe\"",
            "Content-Disposition: attachment; filename\u{a0}=\u{2028}\"a.exe\"; x=y",
            "Content-Disposition: attachment; filename\u{3000}=a.exe",
            "Content-Disposition: attachment; filename*0=a.; filename*1\u{c}=exe",
            "Content-Disposition: attachment; filename*0=a.; filename*1=<exe>",
            "Content-Disposition: attachment; filename*0=a.?; filename*1=\u{b}\"exe\"",
            "Content-Disposition: attachment; filename=a.exe=",
            "Content-Disposition: attachment; filename=a.exe*",
            "Content-Disposition: attachment; filename=a.exe%x",
            "Content-Disposition: attachment; filename=a.exe[1]",
            "Content-Disposition: attachment; filename=a.exe@x",
            "Content-Disposition: attachment; filename=a.exe)",
            "Content-Disposition: attachment; filename=a.exe\u{b}x",
            "Content-Disposition: attachment; filename=''a.exe/",
            "Content-Type: x/y; name=a.exe=.txt",
            "Content-Name: a.exe",
            "X-Sun-Data-Name: a.exe",
        ];
        for fields in table {
            let names = names(&format!("{fields}\r\n"));
            assert!(
                names.found.iter().any(|name| name == "a.exe"),
                "{fields}: {names:?}"
            );
            assert!(!names.is_ambiguous, "{fields}");
        }
    }

    #[test]
    fn charsets_that_few_programs_know_are_ambiguous() {
        for (charset, expected) in [
            ("utf-8", false),
            ("", false),
            ("unknown-8bit", false),
            ("utf7", true),
            ("unicode-1-1-utf-7", true),
            ("cp037", true),
            ("unicode_escape", true),
            ("utf-16", true),
        ] {
            for name in [
                format!("filename*={charset}''a"),
                format!("filename*0*={charset}''a; filename*1=b"),
                format!("filename=\"=?{charset}?q?a?=\""),
            ] {
                let found = names(&format!("Content-Disposition: x; {name}\r\n"));
                assert_eq!(found.is_ambiguous, expected, "{name}");
            }
        }
        assert!(!names("Content-Type: x/y; name=\"The ''a'' of b.txt\"\r\n").is_ambiguous);
    }

    #[test]
    fn pieces_that_do_not_fit_are_ambiguous() {
        let many = "name=a;".repeat(100);
        let different: String = (0..100).map(|number| format!("name={number};")).collect();
        for value in [
            "x/y; name*0=a; name*2=b",
            "x/y; name*1=a",
            "x/y; name*0=a.txt; name*0=a.exe",
            &many,
            &different,
        ] {
            assert!(
                names(&format!("Content-Type: {value}\r\n")).is_ambiguous,
                "{value}"
            );
        }
        assert!(!names("Content-Type: x/y; name*0=a; name*1=b\r\n").is_ambiguous);
        let long: String = (0..20)
            .map(|n| format!("; name*{n}*=utf-8''%20a%20b"))
            .collect();
        assert!(!names(&format!("Content-Type: x/y{long}\r\n")).is_ambiguous);
        let odd: String = (0..6).map(|n| format!("; name*{n}=a/b")).collect();
        assert!(names(&format!("Content-Type: x/y{odd}\r\n")).is_ambiguous);
        assert!(
            !names("Content-Type: x/y; name*0=a\r\nContent-Disposition: x; filename*0=a\r\n")
                .is_ambiguous
        );
    }
}
