//! The content of the parts of a message, each decoded once.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use super::decode::Decoder;
use super::facts::Facts;
use super::head::{Head, MAX_HEAD};
use super::part::{Part, Storage};
use super::source::{PIECE, Scratch, Source};

/// The decoded content of parts.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) scratch: Box<dyn Scratch>,
    locations: HashMap<u32, Location>,
}

/// Where the decoded content of a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    storage: Storage,
    pub(super) range: Range<u64>,
    /// True if the content is text, and therefore UTF-8.
    pub(super) is_text: bool,
}

impl Decoded {
    pub(super) fn new(scratch: Box<dyn Scratch>) -> Self {
        Self {
            scratch,
            locations: HashMap::new(),
        }
    }

    /// Where the content of a part is. Returns `None` if it was not decoded yet.
    pub(super) fn location(&self, index: u32) -> Option<&Location> {
        self.locations.get(&index)
    }

    /// The header block of a part. If it exceeds [`MAX_HEAD`], only the fields within that size.
    pub(super) fn head(&self, body: &dyn Source, part: &Part) -> io::Result<Vec<u8>> {
        let length = part.head.end.saturating_sub(part.head.start);
        let mut octets = vec![0; length.min(MAX_HEAD) as usize];
        let count = self.read_at(body, part.storage, part.head.start, &mut octets)?;
        octets.truncate(count);
        if length > MAX_HEAD {
            // The last line may be cut in the middle.
            let end = memchr::memrchr2(b'\r', b'\n', &octets);
            octets.truncate(end.map_or(0, |end| end + 1));
        }
        Ok(octets)
    }

    /// What the header block of a part says. `first` is that of the message.
    pub(super) fn facts(
        &self,
        body: &dyn Source,
        first: &Facts,
        index: u32,
        part: &Part,
    ) -> io::Result<Facts> {
        let mut facts = match index {
            0 => first.clone(),
            _ => Head::read(&self.head(body, part)?).facts(part.default_type),
        };
        if part.is_opaque {
            facts.content_type = OPAQUE.into();
        }
        Ok(facts)
    }

    /// Reads decoded content.
    pub(super) fn read(
        &self,
        body: &dyn Source,
        location: &Location,
        from: u32,
        length: u32,
    ) -> io::Result<Vec<u8>> {
        let size = location.range.end - location.range.start;
        let left = size.saturating_sub(from.into()).min(length.into());
        let mut octets = vec![0; left as usize];
        let offset = location.range.start + u64::from(from);
        let count = self.read_at(body, location.storage, offset, &mut octets)?;
        octets.truncate(count);
        Ok(octets)
    }

    /// Decodes a part and records where its content is. Content that needs no decoding stays where
    /// it is.
    pub(super) fn decode(
        &mut self,
        body: &dyn Source,
        index: u32,
        part: &Part,
        facts: &Facts,
    ) -> io::Result<Location> {
        let mut location = Location {
            storage: part.storage,
            range: part.body.clone(),
            is_text: facts.is_text(),
        };
        let decoder = Decoder::of(facts).filter(|_| !part.is_opaque);
        if let Some(decoder) = decoder {
            location.storage = Storage::Scratch;
            location.range = self.append(body, part, decoder)?;
        }
        self.locations.insert(index, location.clone());
        Ok(location)
    }

    /// Appends the decoded content of a part to the scratch space and returns its position there.
    fn append(
        &mut self,
        body: &dyn Source,
        part: &Part,
        mut decoder: Decoder,
    ) -> io::Result<Range<u64>> {
        let begin = self.scratch.len();
        let mut piece = vec![0; PIECE];
        let mut out = Vec::new();
        let mut offset = part.body.start;
        while offset < part.body.end {
            let length = (part.body.end - offset).min(PIECE as u64) as usize;
            let count = self.read_at(body, part.storage, offset, &mut piece[..length])?;
            if count == 0 {
                break;
            }
            offset += count as u64;
            decoder.feed(&piece[..count], &mut out);
            self.scratch.append(&out)?;
            out.clear();
        }
        decoder.finish(&mut out);
        self.scratch.append(&out)?;
        Ok(begin..self.scratch.len())
    }

    fn read_at(
        &self,
        body: &dyn Source,
        storage: Storage,
        offset: u64,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        match storage {
            Storage::Body => body.read_at(offset, buffer),
            Storage::Scratch => self.scratch.read_at(offset, buffer),
        }
    }
}

/// The type of a part that was not searched for parts.
pub(super) const OPAQUE: &str = "application/x-unparsed";
