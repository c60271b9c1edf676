//! The DATA decoder: finds the end of a message and takes the dot-stuffing off (RFC 5321 §4.5.2).

use std::ops::Range;

use memchr::memchr2;

/// Decodes what a client sends after 354, however it was cut.
///
/// Only CRLF ends a line, and only `CRLF . CRLF` ends the message. A lone CR or LF is kept and noted
/// as a [`Flaw`], but decoding goes on to the real end: stopping early would let the rest of the
/// message be read as commands.
#[derive(Debug)]
pub struct DataDecoder {
    state: State,
    flaw: Option<Flaw>,
}

/// What the next octets of the input are.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The end of the message. What follows in the input is not part of it.
    End,
    /// A CR of the message that was held back, since it might have belonged to the end.
    HeldCr,
    /// The input was read to its end.
    NeedMore,
    /// Octets of the message, by their place in the input.
    Text(Range<usize>),
}

/// What is wrong with the line endings of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A CR that no LF follows.
    BareCr,
    /// An LF that no CR precedes.
    BareLf,
}

impl DataDecoder {
    /// A decoder at the start of a message.
    pub const fn new() -> Self {
        Self {
            state: State::LineStart,
            flaw: None,
        }
    }

    /// Decodes from the start of the input. Gives how many octets were consumed and what they say;
    /// to be called again with the rest until [`Decoded::NeedMore`] or [`Decoded::End`].
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
                (State::DotCr, b'\n') => {
                    self.state = State::LineStart;
                    return (at + 1, Decoded::End);
                }
                (State::DotCr, _) => {
                    self.state = State::Cr;
                    return (at, Decoded::HeldCr);
                }
                (State::Cr, b'\n') => {
                    at += 1;
                    self.state = State::LineStart;
                }
                (State::Cr, _) => {
                    self.flaw.get_or_insert(Flaw::BareCr);
                    self.state = State::Text;
                }
                (State::LineStart | State::Dot | State::Text, _) => {
                    at += self.line(&input[at..]);
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

    /// Reads to the next CR or bare LF, and gives how far that is.
    fn line(&mut self, input: &[u8]) -> usize {
        self.state = State::Text;
        match memchr2(b'\r', b'\n', input) {
            None => input.len(),
            Some(index) if input[index] == b'\r' => {
                self.state = State::Cr;
                index + 1
            }
            // A bare LF does not end a line: a dot behind it is just a dot.
            Some(index) => {
                self.flaw.get_or_insert(Flaw::BareLf);
                index + 1
            }
        }
    }
}

impl Default for DataDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// What was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A CR that is part of the text.
    Cr,
    /// A dot at the start of a line.
    Dot,
    /// That dot and a CR behind it.
    DotCr,
    /// CRLF, or nothing yet.
    LineStart,
    /// Anything else.
    Text,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What came of an input: the text, and the rest after the end where there was one.
    fn decoded(input: &[u8], chunk: usize) -> (Vec<u8>, Option<Vec<u8>>, Option<Flaw>) {
        let mut decoder = DataDecoder::new();
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
                    Decoded::HeldCr => text.push(b'\r'),
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
                    decoded(input.as_bytes(), chunk),
                    expected,
                    "{input:?} by {chunk}"
                );
            }
        }
    }

    proptest! {
        /// Where the input is cut changes nothing.
        #[test]
        fn any_cut_gives_the_same(
            input in prop::collection::vec(prop::sample::select(b"\r\n.ab\0".to_vec()), 0..60),
            chunk in 1_usize..20,
        ) {
            prop_assert_eq!(decoded(&input, chunk), decoded(&input, input.len().max(1)));
        }
    }
}
