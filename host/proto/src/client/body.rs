//! The other side of the DATA decoder: a message as it goes over the wire (RFC 5321 §4.5.2).

use memchr::memchr2_iter;

/// Encodes a message for DATA, however it was cut.
///
/// Whatever the message holds, the encoder lets it neither end early nor hide an end that another
/// server would see: a lone CR or LF becomes CRLF, and every line that begins with a dot gets
/// another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyEncoder {
    at: At,
}

impl BodyEncoder {
    /// An encoder at the start of a message.
    pub const fn new() -> Self {
        Self { at: At::LineStart }
    }

    /// Appends the wire form of the next octets of the message.
    pub fn encode(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let octets = match (self.at, octets) {
            (_, []) => return,
            (At::AfterCr, [b'\n', rest @ ..]) => {
                self.at = At::LineStart;
                rest
            }
            _ => octets,
        };
        match (self.at, octets) {
            (_, []) => return,
            (At::AfterCr | At::LineStart, [b'.', ..]) => out.push(b'.'),
            _ => {}
        }
        self.at = At::Text;
        let mut copied = 0;
        let mut line = 0;
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
            match octets.get(line) {
                Some(b'.') => {
                    out.extend_from_slice(&octets[copied..line]);
                    out.push(b'.');
                    copied = line;
                }
                Some(_) => {}
                None if octets[end..] == *b"\r" => self.at = At::AfterCr,
                None => self.at = At::LineStart,
            }
        }
        out.extend_from_slice(&octets[copied..]);
    }

    /// Appends the end of the message: the line end that the last line lacks, and the final dot.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.at == At::Text {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }
}

/// What came before the next octet of the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// A CR, written as CRLF already: an LF that follows belongs to it.
    AfterCr,
    /// A line end, or nothing yet.
    #[default]
    LineStart,
    /// The start of a line.
    Text,
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

    /// What a strict reader makes of it: lines end with CRLF, a lone dot ends the message, and
    /// nothing follows. Written apart from the decoder of the server on purpose.
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

    /// Every line end as CRLF, and one at the end of the last line.
    fn normalised(message: &[u8]) -> Vec<u8> {
        let text: String = message.iter().map(|byte| char::from(*byte)).collect();
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut text = text.replace('\n', "\r\n");
        if !text.is_empty() && !text.ends_with("\r\n") {
            text.push_str("\r\n");
        }
        text.chars().map(|c| u8::try_from(c).unwrap()).collect()
    }

    const MESSAGES: [(&[u8], &[u8]); 18] = [
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
                prop::sample::select(vec!["\r", "\n", ".", "a", "\r\n", "\r\n.\r\n", "QUIT"]),
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
