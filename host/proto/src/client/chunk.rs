//! Messages sent as one BDAT chunk (RFC 3030 §2).

use crate::client::body::{BodyEncoder, NotLines};
use crate::client::encode_error::{EncodeError, WrongSize};

/// A message sent with BDAT, octet for octet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Checks the lines of the message. `None` for binary content.
    lines: Option<BodyEncoder>,
    size: u64,
    /// The number of missing octets. `None` if there were too many.
    left: Option<u64>,
    start: Start,
}

/// Where a chunk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// With the first octet of the message.
    First,
    /// With the second one, because the server has the first.
    Second,
}

impl Chunk {
    /// A message of this size in octets, for BODY=BINARYMIME (RFC 3030 §3).
    pub const fn binary(size: u64) -> Self {
        Self::new(None, size)
    }

    /// A message of this size in octets that consists of lines, as for DATA, because the server may
    /// relay it with DATA.
    pub const fn lines(size: u64) -> Self {
        Self::new(Some(BodyEncoder::without_dots()), size)
    }

    const fn new(lines: Option<BodyEncoder>, size: u64) -> Self {
        Self {
            lines,
            size,
            left: Some(size),
            start: Start::First,
        }
    }

    /// The size of the chunk in octets: that of the message, or one octet less after
    /// [`without_first`](Self::without_first).
    pub const fn size(&self) -> u64 {
        match self.start {
            Start::First => self.size,
            Start::Second => self.size.saturating_sub(1),
        }
    }

    /// The rest of the message, after its first octet was sent with
    /// [`Request::FirstChunk`](crate::client::Request::FirstChunk). The writer gets the whole message
    /// nevertheless.
    #[must_use]
    pub const fn without_first(self) -> Self {
        Self {
            start: Start::Second,
            ..self
        }
    }

    /// Appends the next octets. Octets that exceed the size are not appended: the server would read
    /// them as commands.
    pub(super) fn encode(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        // Lossless: a usize has at most 64 bits.
        self.left = match self.left {
            Some(left) => left.checked_sub(octets.len() as u64),
            None => None,
        };
        if self.left.is_none() {
            return Err(WrongSize.into());
        }
        let start = out.len();
        match &mut self.lines {
            Some(lines) => lines.encode(octets, out)?,
            None => out.extend_from_slice(octets),
        }
        if self.left == Some(0)
            && self
                .lines
                .as_ref()
                .is_some_and(|lines| !lines.is_complete())
        {
            // With its last octet, the server would have the message.
            out.truncate(start);
            return Err(NotLines.into());
        }
        if self.start == Start::Second && out.len() > start {
            out.remove(start);
            self.start = Start::First;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), EncodeError> {
        if self.left != Some(0) {
            return Err(WrongSize.into());
        }
        match self.lines {
            Some(lines) if !lines.is_complete() => Err(NotLines.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The encoded message.
    fn sent(mut chunk: Chunk, message: &[u8], cut: usize) -> (Vec<u8>, Result<(), EncodeError>) {
        let mut out = Vec::new();
        for octets in message.chunks(cut) {
            if let Err(error) = chunk.encode(octets, &mut out) {
                assert!(chunk.finish().is_err());
                return (out, Err(error));
            }
        }
        let finished = chunk.finish();
        (out, finished)
    }

    #[test]
    fn lines_go_as_they_are_and_dots_are_dots() {
        for message in [
            b"".as_slice(),
            b"a\r\n",
            b".\r\n..\r\n",
            b"a\r\n.\r\nMAIL\r\n",
            b"\0.\0\xff\r\n",
        ] {
            for cut in [1, 2, 64] {
                let chunk = Chunk::lines(message.len() as u64);
                assert_eq!(
                    sent(chunk, message, cut),
                    (message.to_vec(), Ok(())),
                    "{} by {cut}",
                    message.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn what_is_not_lines_is_no_whole_message() {
        for message in [
            b"a".as_slice(),
            b"a\n.\rb\r\n",
            b"\r\r\n\n",
            b"\0",
            b"a\r",
            b"a\r\n\rb\r\n",
        ] {
            for cut in [1, 2, 64] {
                let chunk = Chunk::lines(message.len() as u64);
                let (_, finished) = sent(chunk, message, cut);
                assert_eq!(finished, Err(NotLines.into()), "{}", message.escape_ascii());
            }
        }
    }

    #[test]
    fn a_message_that_is_not_as_announced_is_no_whole_message() {
        for message in [
            b"ten octets".as_slice(),
            b"",
            b"three times too many octets",
        ] {
            for size in [0, 5, 9, 11, 20] {
                if size == message.len() as u64 {
                    continue;
                }
                for cut in [1, 4, 64] {
                    let (out, finished) = sent(Chunk::binary(size), message, cut);
                    assert_eq!(finished, Err(WrongSize.into()));
                    assert!(out.len() as u64 <= size && message.starts_with(&out));
                }
            }
        }
    }

    proptest! {
        /// Before the end of a message that is not lines, the server lacks octets of the chunk.
        #[test]
        fn lines_arrive_as_they_are_or_not_whole(
            pieces in prop::collection::vec(
                prop::sample::select(vec!["\r\n", "\r\n", "a", ".", "\0", "\u{ff}", "\r", "\n"]),
                0..20,
            ),
            cut in 1_usize..20,
        ) {
            let message = pieces.concat().into_bytes();
            let text = String::from_utf8(message.clone()).unwrap();
            let is_lines = !text.replace("\r\n", "").contains(['\r', '\n'])
                && (text.is_empty() || text.ends_with("\r\n"));
            let (out, finished) = sent(Chunk::lines(message.len() as u64), &message, cut);
            prop_assert_eq!(finished.is_ok(), is_lines);
            prop_assert!(message.starts_with(&out));
            prop_assert_eq!(is_lines, out == message);
        }

        #[test]
        fn binary_octets_go_as_they_are(message: Vec<u8>, cut in 1_usize..20) {
            let chunk = Chunk::binary(message.len() as u64);
            prop_assert_eq!(sent(chunk, &message, cut), (message, Ok(())));
        }
    }
}
