//! The DATA encoder: normalizes line endings and adds dot-stuffing (RFC 5321 §4.5.2).

use memchr::memchr2_iter;

/// Encodes a message for DATA, in pieces of any size.
///
/// No content ends the message early, for this server or for one behind it (SMTP smuggling): a bare CR
/// or LF becomes CRLF, and a dot at the start of a line is doubled. So is a dot after NULs at the start
/// of a line, because some servers remove NULs before they search for the end. Other servers see two
/// dots in such a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// An encoder for BDAT: line endings are normalized as for DATA, and dots are not doubled.
    pub(super) const fn without_dots() -> Self {
        Self {
            at: At::LineStart,
            dots: Dots::Kept,
        }
    }

    /// Appends the wire form of the next octets of the message.
    pub fn encode(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let octets = match (self.at, octets) {
            (At::AfterCr, [b'\n', rest @ ..]) => {
                self.at = At::LineStart;
                rest
            }
            _ => octets,
        };
        if octets.is_empty() {
            return;
        }
        let mut copied = 0;
        let mut line = 0;
        if self.at != At::Text {
            self.begin_line(octets, &mut copied, line, out);
        }
        for end in memchr2_iter(b'\r', b'\n', octets) {
            if end < line {
                continue;
            }
            if octets[end..].starts_with(b"\r\n") {
                line = end + 2;
            } else {
                out.extend_from_slice(&octets[copied..end]);
                out.extend_from_slice(b"\r\n");
                line = end + 1;
                copied = line;
            }
            match octets[end..] == *b"\r" {
                true => self.at = At::AfterCr,
                false => self.begin_line(octets, &mut copied, line, out),
            }
        }
        out.extend_from_slice(&octets[copied..]);
    }

    /// Appends the line ending of the last line, if it is missing, and the final dot of DATA.
    pub fn finish(self, out: &mut Vec<u8>) {
        if matches!(self.at, At::Nuls | At::Text) {
            out.extend_from_slice(b"\r\n");
        }
        if self.dots == Dots::Doubled {
            out.extend_from_slice(b".\r\n");
        }
    }

    /// Doubles a dot at the start of a line, after appending all octets before it.
    fn begin_line(&mut self, octets: &[u8], copied: &mut usize, line: usize, out: &mut Vec<u8>) {
        let rest = &octets[line..];
        let nuls = rest.iter().take_while(|octet| **octet == 0).count();
        self.at = match rest.get(nuls) {
            None if nuls > 0 => At::Nuls,
            None => At::LineStart,
            Some(_) => At::Text,
        };
        if self.dots == Dots::Doubled && rest.get(nuls) == Some(&b'.') {
            let dot = line + nuls;
            out.extend_from_slice(&octets[*copied..dot]);
            out.push(b'.');
            *copied = dot;
        }
    }
}

/// The position in a line of the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// After a CR that was written as CRLF. An LF that follows is part of it.
    AfterCr,
    /// At the start of a line.
    #[default]
    LineStart,
    /// After NULs at the start of a line.
    Nuls,
    /// After other octets of a line.
    Text,
}

/// The treatment of a dot at the start of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Dots {
    #[default]
    Doubled,
    Kept,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut encoder = BodyEncoder::new();
        let mut out = Vec::new();
        for chunk in chunks {
            encoder.encode(chunk, &mut out);
        }
        encoder.finish(&mut out);
        out
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

    /// Replaces all line endings by CRLF, completes the last line, and doubles dots after NULs.
    fn normalised(message: &[u8]) -> Vec<u8> {
        let text: String = message.iter().map(|byte| char::from(*byte)).collect();
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
        let lines = lines.map(|line| {
            let nuls = line.len() - line.trim_start_matches('\0').len();
            match line[nuls..].starts_with('.') && nuls > 0 {
                true => format!("{}.{}\r\n", &line[..nuls], &line[nuls..]),
                false => format!("{line}\r\n"),
            }
        });
        let text: String = match message {
            [] => String::new(),
            _ => lines.collect(),
        };
        text.chars().map(|c| u8::try_from(c).unwrap()).collect()
    }

    const MESSAGES: [(&[u8], &[u8]); 24] = [
        (b"", b".\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"..a\r\n.b", b"...a\r\n..b\r\n.\r\n"),
        (b"a.b\r\n", b"a.b\r\n.\r\n"),
        (b"a\nb", b"a\r\nb\r\n.\r\n"),
        (b"a\rb", b"a\r\nb\r\n.\r\n"),
        (b"a\n.\nMAIL", b"a\r\n..\r\nMAIL\r\n.\r\n"),
        (b"a\r.\rMAIL", b"a\r\n..\r\nMAIL\r\n.\r\n"),
        (b"a\r\n.\rMAIL", b"a\r\n..\r\nMAIL\r\n.\r\n"),
        (b"a\n.\r\nMAIL", b"a\r\n..\r\nMAIL\r\n.\r\n"),
        (b"\r\r\n\n", b"\r\n\r\n\r\n.\r\n"),
        (b"\0\xff\r\n", b"\0\xff\r\n.\r\n"),
        (b"a\r", b"a\r\n.\r\n"),
        (b"\0.\r\nMAIL", b"\0..\r\nMAIL\r\n.\r\n"),
        (b"a\r\n\0\0.\r\nMAIL", b"a\r\n\0\0..\r\nMAIL\r\n.\r\n"),
        (b"a\r\n.\0\r\nMAIL", b"a\r\n..\0\r\nMAIL\r\n.\r\n"),
        (b"a\r\0\n.\0.", b"a\r\n\0\r\n..\0.\r\n.\r\n"),
        (b"\0a.\r\n\0", b"\0a.\r\n\0\r\n.\r\n"),
        (b"\0\r\n", b"\0\r\n.\r\n"),
    ];

    #[test]
    fn messages_cut_anywhere() {
        for (message, expected) in MESSAGES {
            let shown = message.escape_ascii();
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
            assert_eq!(decoded(expected), Some(normalised(message)), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn a_message_arrives_as_it_was_and_ends_once(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "\r", "\n", "\0", ".", "a", "\r\n", "\r\n.\r\n", "QUIT",
                ]),
                0..40,
            ),
            cuts in prop::collection::vec(1..5_usize, 0..40),
        ) {
            let message = pieces.concat().into_bytes();
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
            prop_assert_eq!(decoded(&wire), Some(normalised(&message)));
        }

        #[test]
        fn any_octets_arrive(message: Vec<u8>) {
            prop_assert_eq!(decoded(&encoded([message.as_slice()])), Some(normalised(&message)));
        }
    }
}
