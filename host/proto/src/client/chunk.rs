//! Messages sent as one BDAT chunk (RFC 3030 §2).

use std::fmt;

use crate::client::body::BodyEncoder;

/// The size and the encoding of a message sent with BDAT.
///
/// With BODY=BINARYMIME the message is sent unchanged. Otherwise its line endings are normalized as for
/// DATA, because the server may relay it with DATA. Dots are never doubled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// `None` for a message that is sent unchanged.
    encoder: Option<BodyEncoder>,
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
    /// A message of this size in octets that is sent unchanged, for BODY=BINARYMIME (RFC 3030 §3).
    pub const fn binary(size: u64) -> Self {
        Self {
            encoder: None,
            size,
            left: Some(size),
            start: Start::First,
        }
    }

    /// The size of the chunk in octets: that of the encoded message, or one octet less after
    /// [`without_first`](Self::without_first).
    pub const fn size(&self) -> u64 {
        match self.start {
            Start::First => self.size,
            Start::Second => self.size.saturating_sub(1),
        }
    }

    /// The first octet of the encoded message, which begins with these octets. Returns `None` if there
    /// are none.
    pub fn first_octet(&self, octets: &[u8]) -> Option<u8> {
        let mut out = Vec::new();
        // The encoding of an octet may depend on the next one.
        let beginning = octets.get(..2).unwrap_or(octets);
        self.clone().encode(beginning, &mut out);
        out.first().copied()
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

    pub(super) fn encode(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        match &mut self.encoder {
            Some(encoder) => encoder.encode(octets, out),
            None => out.extend_from_slice(octets),
        }
        self.count(start, out);
        self.leave_out_first(start, out);
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Result<(), WrongSize> {
        let start = out.len();
        if let Some(encoder) = self.encoder.take() {
            encoder.finish(out);
        }
        self.count(start, out);
        self.leave_out_first(start, out);
        match self.left {
            Some(0) => Ok(()),
            _ => Err(WrongSize),
        }
    }

    /// Removes the octet that the server has, once.
    fn leave_out_first(&mut self, start: usize, out: &mut Vec<u8>) {
        if self.start == Start::Second && out.len() > start {
            out.remove(start);
            self.start = Start::First;
        }
    }

    /// Removes octets that exceed the size: the server would read them as commands.
    fn count(&mut self, start: usize, out: &mut Vec<u8>) {
        // Lossless: a usize has at most 64 bits.
        let added = (out.len() - start) as u64;
        self.left = self.left.and_then(|left| left.checked_sub(added));
        if self.left.is_none() {
            out.truncate(start);
        }
    }
}

/// Computes the encoded size of a message before it is sent.
#[derive(Debug)]
pub struct ChunkMeter {
    encoder: BodyEncoder,
    encoded: Vec<u8>,
    size: u64,
}

impl ChunkMeter {
    /// A meter at the start of a message.
    pub const fn new() -> Self {
        Self {
            encoder: BodyEncoder::without_dots(),
            encoded: Vec::new(),
            size: 0,
        }
    }

    /// Adds the next octets of the message, which may be cut anywhere.
    pub fn add(&mut self, octets: &[u8]) {
        // Encode and discard, so that the size cannot differ from what is sent.
        self.encoder.encode(octets, &mut self.encoded);
        self.size += self.encoded.len() as u64;
        self.encoded.clear();
    }

    /// The chunk, after all octets were added.
    pub fn finish(mut self) -> Chunk {
        self.encoder.finish(&mut self.encoded);
        let size = self.size + self.encoded.len() as u64;
        Chunk {
            encoder: Some(BodyEncoder::without_dots()),
            size,
            left: Some(size),
            start: Start::First,
        }
    }
}

impl Default for ChunkMeter {
    fn default() -> Self {
        Self::new()
    }
}

/// A message does not have the announced size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongSize;

impl fmt::Display for WrongSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message has not the size that was announced")
    }
}

impl std::error::Error for WrongSize {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn measured(message: &[u8], cut: usize) -> Chunk {
        let mut meter = ChunkMeter::new();
        for octets in message.chunks(cut) {
            meter.add(octets);
        }
        meter.finish()
    }

    /// The encoded message, cut differently than it was measured.
    fn sent(mut chunk: Chunk, message: &[u8], cut: usize) -> (Vec<u8>, Result<(), WrongSize>) {
        let mut out = Vec::new();
        for octets in message.chunks(cut) {
            chunk.encode(octets, &mut out);
        }
        let finished = chunk.finish(&mut out);
        (out, finished)
    }

    #[test]
    fn lines_end_with_crlf_and_dots_are_dots() {
        let table: [(&[u8], &[u8]); 9] = [
            (b"", b""),
            (b"a\r\n", b"a\r\n"),
            (b"a", b"a\r\n"),
            (b".\r\n..\r\n", b".\r\n..\r\n"),
            (b"a\r\n.\r\nMAIL", b"a\r\n.\r\nMAIL\r\n"),
            (b"a\n.\rb", b"a\r\n.\r\nb\r\n"),
            (b"\r\r\n\n", b"\r\n\r\n\r\n"),
            (b"\0.\0\xff\r\n", b"\0.\0\xff\r\n"),
            (b"\0", b"\0\r\n"),
        ];
        for (message, expected) in table {
            for cut in [1, 2, 64] {
                let chunk = measured(message, 3);
                let shown = message.escape_ascii();
                assert_eq!(chunk.size(), expected.len() as u64, "{shown}");
                assert_eq!(
                    sent(chunk, message, cut),
                    (expected.to_vec(), Ok(())),
                    "{shown} by {cut}"
                );
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
                    assert_eq!(finished, Err(WrongSize));
                    assert!(out.len() as u64 <= size && message.starts_with(&out));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_octets_have_the_size_that_was_measured(
            message in prop::collection::vec(prop::sample::select(b"\r\n.a\0\xff".to_vec()), 0..60),
            cuts in (1_usize..20, 1_usize..20),
        ) {
            let chunk = measured(&message, cuts.0);
            let size = chunk.size();
            let (out, finished) = sent(chunk, &message, cuts.1);
            prop_assert_eq!(finished, Ok(()));
            prop_assert_eq!(out.len() as u64, size);
        }

        #[test]
        fn binary_octets_go_as_they_are(message: Vec<u8>, cut in 1_usize..20) {
            let chunk = Chunk::binary(message.len() as u64);
            prop_assert_eq!(sent(chunk, &message, cut), (message, Ok(())));
        }
    }
}
