use super::*;
use proptest::prelude::*;

/// The decoded text, and the rest of the input after the end of the message, if there is one.
fn decoded(
    line_endings: LineEndings,
    input: &[u8],
    chunk: usize,
) -> (Vec<u8>, Option<Vec<u8>>, Option<Flaw>) {
    let mut decoder = DataDecoder::new(line_endings);
    let mut text = Vec::new();
    let mut position = 0;
    for piece in input.chunks(chunk) {
        let mut offset = 0;
        loop {
            let unread = &piece[offset..];
            let (consumed, what) = decoder.decode(unread);
            offset += consumed;
            match what {
                Decoded::Text(range) => text.extend_from_slice(&unread[range]),
                Decoded::Fixed(octets) => text.extend_from_slice(octets),
                Decoded::NeedMore => break,
                Decoded::End => {
                    let rest = input[position + offset..].to_vec();
                    return (text, Some(rest), decoder.flaw());
                }
            }
        }
        assert_eq!(offset, piece.len());
        position += piece.len();
    }
    (text, None, decoder.flaw())
}

#[test]
fn only_crlf_dot_crlf_ends_a_message() {
    use Flaw::{BareCr, BareLf};
    type Row = (
        &'static str,
        &'static str,
        Option<&'static str>,
        Option<Flaw>,
    );
    let table: [Row; 22] = [
        (".\r\n", "", Some(""), None),
        ("hi\r\n.\r\n", "hi\r\n", Some(""), None),
        ("hi\r\n.\r\nQUIT\r\n", "hi\r\n", Some("QUIT\r\n"), None),
        ("..\r\n.\r\n", ".\r\n", Some(""), None),
        ("..a\r\n.b\r\n.\r\n", ".a\r\nb\r\n", Some(""), None),
        ("a.\r\n.\r\n", "a.\r\n", Some(""), None),
        ("\r\n.\r\n", "\r\n", Some(""), None),
        ("", "", None, None),
        (".", "", None, None),
        (".\r", "", None, None),
        ("hi\r\n.\n", "hi\r\n\n", None, Some(BareLf)),
        ("hi\n.\n", "hi\n.\n", None, Some(BareLf)),
        ("hi\n.\r\n", "hi\n.\r\n", None, Some(BareLf)),
        ("hi\r.\r", "hi\r.\r", None, Some(BareCr)),
        ("hi\r.\r\n", "hi\r.\r\n", None, Some(BareCr)),
        ("hi\r\n.\r\r\n", "hi\r\n\r\r\n", None, Some(BareCr)),
        ("hi\r\n.\r.\r\n", "hi\r\n\r.\r\n", None, Some(BareCr)),
        ("hi\r\n\r.\r\n", "hi\r\n\r.\r\n", None, Some(BareCr)),
        ("hi\r\r\n.\r\n", "hi\r\r\n", Some(""), Some(BareCr)),
        ("hi\n\r\n.\r\n", "hi\n\r\n", Some(""), Some(BareLf)),
        ("hi\r\n\0.\r\n", "hi\r\n\0.\r\n", None, None),
        ("hi\r\n.\0\r\n", "hi\r\n\0\r\n", None, None),
    ];
    for (input, text, rest, flaw) in table {
        for chunk in [1, 2, 3, 7, 64] {
            let expected = (
                text.as_bytes().to_vec(),
                rest.map(|rest| rest.as_bytes().to_vec()),
                flaw,
            );
            assert_eq!(
                decoded(LineEndings::Strict, input.as_bytes(), chunk),
                expected,
                "{input:?} by {chunk}"
            );
        }
    }
}

#[test]
fn other_modes_mend_or_leave_line_endings() {
    use LineEndings::{Ensure, EnsureLegacy, Leave};
    type Row = (
        LineEndings,
        &'static str,
        &'static str,
        Option<&'static str>,
    );
    let table: [Row; 22] = [
        (Ensure, "a\nb\r\n.\r\n", "a\r\nb\r\n", Some("")),
        (Ensure, "a\rb\r\n.\r\n", "ab\r\n", Some("")),
        (Ensure, "a\r\r\n.\r\n", "a\r\n", Some("")),
        (Ensure, "\n.\r\n", "\r\n.\r\n", None),
        (Ensure, "a\n.\nb", "a\r\n.\r\nb", None),
        (Ensure, "a\r\n.\nb", "a\r\n\r\nb", None),
        (Ensure, "a\r.\r\n", "a.\r\n", None),
        (Ensure, "a\r\n.\r\r\nb", "a\r\n\r\nb", None),
        (Ensure, "a\r\n.\rb\r\n", "a\r\nb\r\n", None),
        (Ensure, "..a\r\n.\r\nQUIT", ".a\r\n", Some("QUIT")),
        (Ensure, "a\r", "a", None),
        (EnsureLegacy, "a\n.\nQUIT", "a\r\n", Some("QUIT")),
        (EnsureLegacy, "a\n.\r\nQUIT", "a\r\n", Some("QUIT")),
        (EnsureLegacy, "a\r\n.\nQUIT", "a\r\n", Some("QUIT")),
        (EnsureLegacy, "a\n..b\n.\n", "a\r\n.b\r\n", Some("")),
        (EnsureLegacy, "a\r.\r\r\n", "a.\r\n", None),
        (Leave, "a\nb\rc\r\n.\r\n", "a\nb\rc\r\n", Some("")),
        (Leave, "a\n.\n", "a\n.\n", None),
        (Leave, "a\r\n.\n", "a\r\n\n", None),
        (Leave, "a\n.\r\n", "a\n.\r\n", None),
        (Leave, "a\r\n.\r\r\n", "a\r\n\r\r\n", None),
        (Leave, "..a\r\n.\r\n", ".a\r\n", Some("")),
    ];
    for (mode, input, text, rest) in table {
        for chunk in [1, 2, 3, 7, 64] {
            let (got, left, _) = decoded(mode, input.as_bytes(), chunk);
            let rest = rest.map(|rest| rest.as_bytes().to_vec());
            let got = String::from_utf8(got).unwrap();
            assert_eq!(
                (got.as_str(), left),
                (text, rest),
                "{mode:?} {input:?} by {chunk}"
            );
        }
    }
}

#[test]
fn the_longest_line_is_known() {
    for chunk in [1, 3, 64] {
        let mut decoder = DataDecoder::new(LineEndings::Strict);
        for piece in b"four\r\nlonger\r\nend".chunks(chunk) {
            let mut offset = 0;
            while offset < piece.len() {
                offset += decoder.decode(&piece[offset..]).0;
            }
        }
        assert_eq!(decoder.longest_line(), 6, "by {chunk}");
    }
}

proptest! {
    /// The result does not depend on how the input is cut, and all line endings are corrected.
    #[test]
    fn any_cut_gives_the_same(
        input in prop::collection::vec(prop::sample::select(b"\r\n.ab\0".to_vec()), 0..60),
        chunk in 1_usize..20,
        mode in prop::sample::select(vec![
            LineEndings::Strict,
            LineEndings::Ensure,
            LineEndings::EnsureLegacy,
            LineEndings::Leave,
        ]),
    ) {
        let whole = decoded(mode, &input, input.len().max(1));
        prop_assert_eq!(&decoded(mode, &input, chunk), &whole);
        if matches!(mode, LineEndings::Ensure | LineEndings::EnsureLegacy) {
            let text = String::from_utf8(whole.0).unwrap().replace("\r\n", "");
            prop_assert!(!text.contains(['\r', '\n']));
        }
    }
}

/// The decoded text of a message sent in chunks of this size, in pieces.
fn chunked(
    line_endings: LineEndings,
    input: &[u8],
    chunk: usize,
) -> (Vec<u8>, Option<Flaw>, usize) {
    let mut decoder = DataDecoder::of_chunks(line_endings);
    let mut text = Vec::new();
    for piece in input.chunks(chunk) {
        let mut offset = 0;
        loop {
            let unread = &piece[offset..];
            let (consumed, what) = decoder.decode(unread);
            offset += consumed;
            match what {
                Decoded::Text(range) => text.extend_from_slice(&unread[range]),
                Decoded::Fixed(octets) => text.extend_from_slice(octets),
                Decoded::NeedMore => break,
                Decoded::End => panic!("chunks have no end of their own"),
            }
        }
        assert_eq!(offset, piece.len());
    }
    while let Decoded::Fixed(octets) = decoder.finish() {
        text.extend_from_slice(octets);
    }
    (text, decoder.flaw(), decoder.longest_line())
}

#[test]
fn chunks_are_lines_without_a_meaning_of_dots() {
    use Flaw::{BareCr, BareLf};
    use LineEndings::{Ensure, EnsureLegacy, Leave, Strict};
    type Row = (LineEndings, &'static str, &'static str, Option<Flaw>);
    let table: [Row; 21] = [
        (Strict, "", "", None),
        (
            Strict,
            "a\r\n.\r\n..\r\n.b\r\n",
            "a\r\n.\r\n..\r\n.b\r\n",
            None,
        ),
        (Strict, "a", "a\r\n", None),
        (Strict, ".", ".\r\n", None),
        (Strict, "a\r\n.", "a\r\n.\r\n", None),
        (Strict, "\0", "\0\r\n", None),
        (Strict, "a\nb\r\n", "a\nb\r\n", Some(BareLf)),
        (Strict, "a\rb\r\n", "a\rb\r\n", Some(BareCr)),
        (Strict, "\r", "\r", Some(BareCr)),
        (Strict, "a\r", "a\r\r\n", Some(BareCr)),
        (Strict, "a\r\r\n", "a\r\r\n", Some(BareCr)),
        (Ensure, "a\nb\rc\r\r\nd", "a\r\nbc\r\nd\r\n", Some(BareLf)),
        (Ensure, "a\n.\nb", "a\r\n.\r\nb\r\n", Some(BareLf)),
        (Ensure, "a\r", "a\r\n", Some(BareCr)),
        (Ensure, "a\r\n\r", "a\r\n", Some(BareCr)),
        (Ensure, "a\n", "a\r\n", Some(BareLf)),
        (EnsureLegacy, "a\n.\n.b\n", "a\r\n.\r\n.b\r\n", Some(BareLf)),
        (EnsureLegacy, "a", "a\r\n", None),
        (Leave, "a\nb\rc", "a\nb\rc", Some(BareLf)),
        (Leave, "a\r", "a\r", Some(BareCr)),
        (Leave, ".", ".", None),
    ];
    for (mode, input, text, flaw) in table {
        for chunk in [1, 2, 3, 64] {
            let (got, found, _) = chunked(mode, input.as_bytes(), chunk);
            let got = String::from_utf8(got).unwrap();
            assert_eq!(
                (got.as_str(), found),
                (text, flaw),
                "{mode:?} {input:?} by {chunk}"
            );
        }
    }
}

#[test]
fn a_mended_line_feed_ends_a_line() {
    for mode in [LineEndings::Ensure, LineEndings::EnsureLegacy] {
        let input = b"four\nlonger\nend";
        assert_eq!(chunked(mode, input, 3).2, 6);
    }
}

proptest! {
    /// Where the gateway takes a message, it has CRLF lines only, whichever way it came, and those of
    /// chunks are those of the same message sent with DATA.
    #[test]
    fn chunks_and_data_are_one_message(
        input in prop::collection::vec(prop::sample::select(b"\r\n.ab\0".to_vec()), 0..60),
        chunk in 1_usize..20,
        mode in prop::sample::select(vec![LineEndings::Strict, LineEndings::Ensure]),
    ) {
        let (text, flaw, _) = chunked(mode, &input, chunk);
        prop_assert_eq!(&chunked(mode, &input, input.len().max(1)).0, &text);
        if mode == LineEndings::Strict && flaw.is_some() {
            return Ok(());
        }
        let lines = String::from_utf8(text.clone()).unwrap();
        prop_assert!(lines.is_empty() || lines.ends_with("\r\n"));
        prop_assert!(!lines.replace("\r\n", "").contains(['\r', '\n']));
        let mut wire = Vec::new();
        for line in lines.split_inclusive("\r\n") {
            wire.extend_from_slice(if line.starts_with('.') { b"." } else { b"" });
            wire.extend_from_slice(line.as_bytes());
        }
        wire.extend_from_slice(b".\r\nQUIT\r\n");
        let expected = (text, Some(b"QUIT\r\n".to_vec()), None);
        prop_assert_eq!(decoded(LineEndings::Strict, &wire, chunk), expected);
    }
}

#[test]
fn any_text_becomes_lines() {
    let table = [
        ("", ""),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("a", "a\r\n"),
        ("a\nb", "a\r\nb\r\n"),
        ("a\rb\r", "a\r\nb\r\n"),
        ("\r\r\n\n", "\r\n\r\n\r\n"),
        ("\n", "\r\n"),
        ("a\r\n\rb", "a\r\n\r\nb\r\n"),
    ];
    for (text, lines) in table {
        // A text may go on after any step.
        for before in [0, Lines::STEP - 1, Lines::STEP, 2 * Lines::STEP - 1] {
            let before = "x".repeat(before);
            let text = format!("{before}{text}");
            let made = Lines::of(text.as_bytes()).finish();
            let made = made.unwrap_or_else(|| text.into_bytes());
            let made = String::from_utf8(made).unwrap();
            match lines {
                "" if !before.is_empty() => assert_eq!(made, format!("{before}\r\n")),
                _ => assert_eq!(made, format!("{before}{lines}")),
            }
            assert_eq!(Lines::of(made.as_bytes()).finish(), None);
        }
    }
}
