//! The DATA decoder: finds the end of a message and removes dot-stuffing (RFC 5321 §4.5.2).

use std::ops::Range;

use memchr::memchr2;

/// Decodes the octets that follow a 354 reply, in pieces of any size.
///
/// Only CRLF ends a line, and only `CRLF . CRLF` ends the message, except with
/// [`LineEndings::EnsureLegacy`]. A bare CR or LF is recorded as a [`Flaw`], and decoding continues to
/// the real end: after an early end, the rest of the message would be read as commands.
#[derive(Debug)]
pub struct DataDecoder {
    line_endings: LineEndings,
    state: State,
    flaw: Option<Flaw>,
    line: usize,
    longest_line: usize,
}

/// The treatment of a CR or LF that is not part of a CRLF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEndings {
    /// A bare LF becomes CRLF, and a bare CR is removed. Neither ends the message.
    Ensure,
    /// As `Ensure`, and a bare LF ends a line before and after the final dot. This permits SMTP
    /// smuggling: another server may see two messages where this one sees one, or the reverse.
    EnsureLegacy,
    /// It is kept.
    Leave,
    /// The message is refused.
    #[default]
    Strict,
}

/// The next element of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The end of the message.
    End,
    /// Octets of the message that are not in the input: a CR that was held back, or a corrected line
    /// ending.
    Fixed(&'static [u8]),
    /// There is no more input.
    NeedMore,
    /// Octets of the message, as a range of the input.
    Text(Range<usize>),
}

/// A fault in the line endings of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A CR without LF.
    BareCr,
    /// An LF without CR.
    BareLf,
}

impl DataDecoder {
    /// A decoder at the start of a message.
    pub const fn new(line_endings: LineEndings) -> Self {
        Self {
            line_endings,
            state: State::LineStart,
            flaw: None,
            line: 0,
            longest_line: 0,
        }
    }

    /// Decodes the start of the input. Returns the number of consumed octets and what they mean. Call
    /// again with the rest until it returns [`Decoded::NeedMore`] or [`Decoded::End`].
    pub fn decode(&mut self, input: &[u8]) -> (usize, Decoded) {
        let mut start = 0;
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match (self.state, byte) {
                (State::LineStart, b'.') if start < at => break,
                (State::LineStart, b'.') => {
                    at += 1;
                    start = at;
                    self.state = State::Dot;
                }
                (State::Dot, b'\r') => {
                    at += 1;
                    start = at;
                    self.state = State::DotCr;
                }
                (State::DotCr, b'\n') => return self.end(at),
                (State::Dot, b'\n') if self.line_endings == LineEndings::EnsureLegacy => {
                    return self.end(at);
                }
                (State::DotCr, _) if self.corrects() => self.state = State::HeldCr,
                (State::DotCr, _) => {
                    self.state = State::Cr;
                    return (at, Decoded::Fixed(b"\r"));
                }
                (State::HeldCr, b'\n') => {
                    self.end_line();
                    return (at + 1, Decoded::Fixed(b"\r\n"));
                }
                (State::Cr, b'\n') => {
                    at += 1;
                    self.end_line();
                }
                (State::Cr | State::HeldCr, _) => {
                    self.flaw.get_or_insert(Flaw::BareCr);
                    self.state = State::Text;
                }
                (State::LineStart | State::Dot | State::Text, _) => {
                    match self.text(&input[at..]) {
                        Some(length) => at += length,
                        // Return what precedes the line ending before it is corrected.
                        None if start < at => break,
                        None if byte == b'\n' => return self.correct_lf(at),
                        None => {
                            at += 1;
                            start = at;
                            self.state = State::HeldCr;
                        }
                    }
                }
            }
        }
        match start < at {
            true => (at, Decoded::Text(start..at)),
            false => (at, Decoded::NeedMore),
        }
    }

    /// The first fault in the line endings so far.
    pub const fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }

    /// The length of the longest line so far in octets, without its line ending.
    pub const fn longest_line(&self) -> usize {
        self.longest_line
    }

    fn end(&mut self, at: usize) -> (usize, Decoded) {
        self.state = State::LineStart;
        (at + 1, Decoded::End)
    }

    const fn end_line(&mut self) {
        self.line = 0;
        self.state = State::LineStart;
    }

    const fn corrects(&self) -> bool {
        matches!(
            self.line_endings,
            LineEndings::Ensure | LineEndings::EnsureLegacy
        )
    }

    /// Reads past the next CR or bare LF, or to the end, and returns the length. Returns `None` if the
    /// input starts with a line ending that must be corrected.
    fn text(&mut self, input: &[u8]) -> Option<usize> {
        let found = memchr2(b'\r', b'\n', input);
        let length = found.unwrap_or(input.len());
        self.line += length;
        self.longest_line = self.longest_line.max(self.line);
        let Some(index) = found else {
            self.state = State::Text;
            return Some(length);
        };
        let is_whole = input[index..].starts_with(b"\r\n");
        if self.corrects() && !is_whole {
            self.state = if index > 0 { State::Text } else { self.state };
            return (index > 0).then_some(index);
        }
        self.state = match input[index] {
            b'\r' => State::Cr,
            // A bare LF does not end a line, so that a dot after it has no meaning.
            _ => {
                self.flaw.get_or_insert(Flaw::BareLf);
                State::Text
            }
        };
        Some(index + 1)
    }

    fn correct_lf(&mut self, at: usize) -> (usize, Decoded) {
        self.flaw.get_or_insert(Flaw::BareLf);
        match self.line_endings {
            LineEndings::EnsureLegacy => self.end_line(),
            _ => self.state = State::Text,
        }
        (at + 1, Decoded::Fixed(b"\r\n"))
    }
}

/// The last octets that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A CR that belongs to the text.
    Cr,
    /// A dot at the start of a line.
    Dot,
    /// A dot at the start of a line, and CR.
    DotCr,
    /// A CR that belongs to the text only if an LF follows.
    HeldCr,
    /// CRLF, or nothing.
    LineStart,
    /// Anything else.
    Text,
}

#[cfg(test)]
mod tests {
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
}
