//! The encoder of messages: adds dot-stuffing for DATA (RFC 5321 §4.5.2), and changes nothing else.

use std::fmt;

use memchr::memchr2_iter;

/// Encodes a message of lines for DATA, in pieces of any size.
///
/// A server gets what plugins have seen, or nothing: what lines cannot carry is an error, and is not
/// encoded. A bare CR or LF is one (RFC 5321 §2.3.8), because a server may end a line there, and the
/// message too (SMTP smuggling). So are a last line without its ending, and a dot after NULs at the
/// start of a line, because some servers remove NULs before they search for the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyEncoder {
    at: At,
    dots: Dots,
}

impl BodyEncoder {
    /// An encoder at the start of a message.
    pub const fn new() -> Self {
        Self {
            at: At::LineStart,
            dots: Dots::Doubled,
        }
    }

    /// An encoder for BDAT, where a dot at the start of a line has no meaning.
    pub(super) const fn without_dots() -> Self {
        Self {
            at: At::LineStart,
            dots: Dots::Kept,
        }
    }

    /// Appends the wire form of the next octets of the message.
    ///
    /// # Errors
    ///
    /// Fails if DATA cannot carry these octets. Nothing is appended then, nor later.
    pub fn encode(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), NotLines> {
        let start = out.len();
        let encoded = self.append(octets, out);
        if encoded.is_err() {
            self.at = At::Broken;
            out.truncate(start);
        }
        encoded
    }

    /// Appends the final dot of DATA.
    ///
    /// # Errors
    ///
    /// Fails if the last line is not complete, or [`encode`](Self::encode) has failed.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), NotLines> {
        if !self.is_complete() {
            return Err(NotLines);
        }
        if self.dots == Dots::Doubled {
            out.extend_from_slice(b".\r\n");
        }
        Ok(())
    }

    /// True if the octets so far are complete lines.
    pub(super) const fn is_complete(&self) -> bool {
        matches!(self.at, At::LineStart)
    }

    fn append(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), NotLines> {
        let mut copied = 0;
        let mut line = match (self.at, octets) {
            (At::Broken, _) => return Err(NotLines),
            (_, []) => return Ok(()),
            (At::AfterCr, [b'\n', ..]) => {
                self.at = At::LineStart;
                1
            }
            (At::AfterCr, _) => return Err(NotLines),
            _ => 0,
        };
        if self.at != At::Text {
            self.begin_line(octets, &mut copied, line, out)?;
        }
        for end in memchr2_iter(b'\r', b'\n', octets) {
            // The LF of a CRLF.
            if end < line {
                continue;
            }
            match &octets[end..] {
                [b'\r', b'\n', ..] => {
                    line = end + 2;
                    self.at = At::LineStart;
                    self.begin_line(octets, &mut copied, line, out)?;
                }
                [b'\r'] => self.at = At::AfterCr,
                _ => return Err(NotLines),
            }
        }
        out.extend_from_slice(&octets[copied..]);
        Ok(())
    }

    /// Doubles a dot at the start of a line, after appending all octets before it.
    fn begin_line(
        &mut self,
        octets: &[u8],
        copied: &mut usize,
        line: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), NotLines> {
        let rest = &octets[line..];
        let nuls = rest.iter().take_while(|octet| **octet == 0).count();
        let has_nuls = nuls > 0 || self.at == At::Nuls;
        let first = rest.get(nuls);
        self.at = match first {
            None if has_nuls => At::Nuls,
            None => At::LineStart,
            Some(_) => At::Text,
        };
        if self.dots == Dots::Doubled && first == Some(&b'.') {
            if has_nuls {
                return Err(NotLines);
            }
            out.extend_from_slice(&octets[*copied..line]);
            out.push(b'.');
            *copied = line;
        }
        Ok(())
    }
}

impl Default for BodyEncoder {
    fn default() -> Self {
        Self::new()
    }
}

/// A message cannot be sent as lines without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLines;

impl fmt::Display for NotLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message does not consist of lines that smtp can carry unchanged")
    }
}

impl std::error::Error for NotLines {}

/// The position in a line of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// After a CR, which an LF must follow.
    AfterCr,
    /// After octets that cannot be sent.
    Broken,
    /// At the start of a line.
    LineStart,
    /// After NULs at the start of a line.
    Nuls,
    /// After other octets of a line.
    Text,
}

/// The treatment of a dot at the start of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dots {
    Doubled,
    Kept,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
        let mut encoder = BodyEncoder::new();
        let mut out = Vec::new();
        for chunk in chunks {
            let before = out.len();
            if encoder.encode(chunk, &mut out).is_err() {
                assert_eq!(out.len(), before);
                // It stays broken.
                assert_eq!(encoder.encode(b"a\r\n", &mut out), Err(NotLines));
                assert_eq!(encoder.finish(&mut out), Err(NotLines));
                assert_eq!(out.len(), before);
                return None;
            }
        }
        encoder.finish(&mut out).ok()?;
        Some(out)
    }

    /// Decodes strictly: lines end with CRLF, a single dot ends the message, and nothing follows. It is
    /// independent of the decoder of the session on purpose.
    fn decoded(wire: &[u8]) -> Option<Vec<u8>> {
        let text = wire.strip_suffix(b"\r\n")?;
        let text = text.strip_suffix(b".")?;
        let mut message = Vec::new();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r\n")?;
            if line.contains(&b'\r') || line == b"." {
                return None;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            message.extend_from_slice(b"\r\n");
        }
        Some(message)
    }

    /// True if the message consists of CRLF lines, none of which has NULs and then a dot at its start.
    fn is_lines(message: &[u8]) -> bool {
        let text: String = message.iter().map(|byte| char::from(*byte)).collect();
        let has_nul_dot =
            |line: &str| line.starts_with('\0') && line.trim_start_matches('\0').starts_with('.');
        (text.is_empty() || text.ends_with("\r\n"))
            && !text.replace("\r\n", "").contains(['\r', '\n'])
            && !text.split("\r\n").any(has_nul_dot)
    }

    const MESSAGES: [(&[u8], Option<&[u8]>); 30] = [
        (b"", Some(b".\r\n")),
        (b"a\r\n", Some(b"a\r\n.\r\n")),
        (b"a\r\nb\r\n", Some(b"a\r\nb\r\n.\r\n")),
        (b".\r\n", Some(b"..\r\n.\r\n")),
        (b"a\r\n.\r\nb\r\n", Some(b"a\r\n..\r\nb\r\n.\r\n")),
        (b"..a\r\n.b\r\n", Some(b"...a\r\n..b\r\n.\r\n")),
        (b"a.b\r\n", Some(b"a.b\r\n.\r\n")),
        (b"\0\xff\r\n", Some(b"\0\xff\r\n.\r\n")),
        (b"a\r\n.\0\r\nMAIL\r\n", Some(b"a\r\n..\0\r\nMAIL\r\n.\r\n")),
        (b"\0a.\r\n\0\r\n", Some(b"\0a.\r\n\0\r\n.\r\n")),
        (b"\0\r\n", Some(b"\0\r\n.\r\n")),
        // The last line is not complete.
        (b"a", None),
        (b".", None),
        (b"a\r\nb", None),
        (b"a\r", None),
        (b"\0", None),
        // Bare CR and LF.
        (b"a\nb\r\n", None),
        (b"a\rb\r\n", None),
        (b"\n", None),
        (b"\r\r\n", None),
        (b"a\r\n\n", None),
        (b"a\n.\nMAIL\r\n", None),
        (b"a\r.\rMAIL\r\n", None),
        (b"a\r\n.\rMAIL\r\n", None),
        (b"a\n.\r\nMAIL\r\n", None),
        (b"a\r\0\n.\0.\r\n", None),
        // A dot after NULs.
        (b"\0.\r\nMAIL\r\n", None),
        (b"a\r\n\0\0.\r\nMAIL\r\n", None),
        (b"\0.a\r\n", None),
        (b"a\r\n\0.\0\r\n", None),
    ];

    #[test]
    fn messages_cut_anywhere() {
        for (message, expected) in MESSAGES {
            let shown = message.escape_ascii();
            let expected = expected.map(<[u8]>::to_vec);
            assert_eq!(encoded([message]), expected, "{shown}");
            assert_eq!(
                encoded(message.chunks(1)),
                expected,
                "{shown}, octet by octet"
            );
            for cut in 0..=message.len() {
                let (start, end) = message.split_at(cut);
                assert_eq!(
                    encoded([start, b"", end]),
                    expected,
                    "{shown}, cut at {cut}"
                );
            }
            assert_eq!(is_lines(message), expected.is_some(), "{shown}");
            let read = expected.map(|wire| decoded(&wire).unwrap());
            assert!(read.is_none_or(|read| read == message), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn a_message_arrives_as_it_was_and_ends_once_or_not_at_all(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "\r\n", "\r\n", "\r\n", ".", "a", "\r\n.\r\n", "QUIT", "\0", "\r", "\n",
                ]),
                0..20,
            ),
            cuts in prop::collection::vec(1..5_usize, 0..40),
        ) {
            let message = (pieces.concat() + "\r\n").into_bytes();
            let mut rest = message.as_slice();
            let mut chunks = Vec::new();
            for cut in cuts {
                let (chunk, left) = rest.split_at(cut.min(rest.len()));
                chunks.push(chunk);
                rest = left;
            }
            chunks.push(rest);
            let wire = encoded(chunks);
            prop_assert_eq!(&wire, &encoded([message.as_slice()]));
            prop_assert_eq!(wire.is_some(), is_lines(&message));
            if let Some(wire) = wire {
                prop_assert_eq!(decoded(&wire), Some(message));
            }
        }

        #[test]
        fn any_octets_arrive_or_are_an_error(message: Vec<u8>) {
            let wire = encoded([message.as_slice()]);
            prop_assert_eq!(wire.is_some(), is_lines(&message));
            if let Some(wire) = wire {
                prop_assert_eq!(decoded(&wire), Some(message));
            }
        }
    }
}
