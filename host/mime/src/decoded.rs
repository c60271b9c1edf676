//! The content of the parts of a message, each decoded once.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use super::charset::Charset;
use super::defect::Defect;
use super::facts::Facts;
use super::head::{Head, MAX_HEAD};
use super::message_type::{examined, hides_content};
use super::part::{Part, Storage};
use super::source::{PIECE, Scratch, Source};
use super::transfer::Transfer;

/// The decoded content of parts.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) scratch: Box<dyn Scratch>,
    /// The content of parts without its transfer encoding.
    octets: HashMap<u32, Location>,
    /// The text of parts, converted to UTF-8.
    texts: HashMap<u32, Location>,
    /// Whether parts hide content of another type, as far as that was examined.
    hiding: HashMap<u32, bool>,
}

/// Where the decoded content of a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    storage: Storage,
    pub(super) range: Range<u64>,
    /// True if the content breaks the rules of its transfer encoding.
    pub(super) is_malformed: bool,
    /// True if no two programs need to agree on the content.
    pub(super) is_ambiguous: bool,
}

impl Decoded {
    pub(super) fn new(scratch: Box<dyn Scratch>) -> Self {
        Self {
            scratch,
            octets: HashMap::new(),
            texts: HashMap::new(),
            hiding: HashMap::new(),
        }
    }

    /// Where the content of a part is. Returns `None` if it was not decoded yet.
    pub(super) fn octets(&self, index: u32) -> Option<&Location> {
        self.octets.get(&index)
    }

    /// Where the text of a part is. Returns `None` if it was not converted yet.
    pub(super) fn text(&self, index: u32) -> Option<&Location> {
        self.texts.get(&index)
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
        if part.is_ambiguous {
            facts.defects.push(Defect::AmbiguousStructure);
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
            is_malformed: false,
            is_ambiguous: false,
        };
        let mut transfer = Transfer::of(&facts.encoding);
        if !part.is_opaque && !transfer.is_none() {
            location.range = self.append(body, &location, |octets, out| match octets {
                [] => transfer.finish(out),
                _ => transfer.feed(octets, out),
            })?;
            location.storage = Storage::Scratch;
            location.is_malformed = transfer.is_malformed();
            location.is_ambiguous = transfer.is_ambiguous();
        }
        self.octets.insert(index, location.clone());
        Ok(location)
    }

    /// True if a program that takes a part for a message would find another type in it. Not all programs
    /// decode it first.
    pub(super) fn hides_content(
        &mut self,
        body: &dyn Source,
        index: u32,
        part: &Part,
        location: &Location,
        content_type: &str,
    ) -> io::Result<bool> {
        if let Some(hides) = self.hiding.get(&index) {
            return Ok(*hides);
        }
        let hides = self.examine(body, part, location, content_type)?;
        self.hiding.insert(index, hides);
        Ok(hides)
    }

    fn examine(
        &self,
        body: &dyn Source,
        part: &Part,
        location: &Location,
        content_type: &str,
    ) -> io::Result<bool> {
        let limit = examined(content_type);
        for (storage, range) in [
            (location.storage, &location.range),
            (part.storage, &part.body),
        ] {
            let length = range.end.saturating_sub(range.start);
            let mut octets = vec![0; length.min(limit) as usize];
            let count = self.read_at(body, storage, range.start, &mut octets)?;
            if hides_content(content_type, &octets[..count], length > limit) {
                return Ok(true);
            }
            if (location.storage, &location.range) == (part.storage, &part.body) {
                break;
            }
        }
        Ok(false)
    }

    /// Converts the decoded content of a part to UTF-8, and records where the text is.
    pub(super) fn convert(
        &mut self,
        body: &dyn Source,
        index: u32,
        octets: &Location,
        facts: &Facts,
    ) -> io::Result<Location> {
        let mut charset = Charset::of(facts.charset.as_deref());
        let range = self.append(body, octets, |octets, out| {
            charset.feed(octets, out, octets.is_empty());
        })?;
        let location = Location {
            storage: Storage::Scratch,
            range,
            is_malformed: octets.is_malformed,
            is_ambiguous: octets.is_ambiguous,
        };
        self.texts.insert(index, location.clone());
        Ok(location)
    }

    /// Appends converted content to the scratch space and returns its position there. The last call
    /// of `convert` is without octets.
    fn append(
        &mut self,
        body: &dyn Source,
        source: &Location,
        mut convert: impl FnMut(&[u8], &mut Vec<u8>),
    ) -> io::Result<Range<u64>> {
        let begin = self.scratch.len();
        let mut piece = vec![0; PIECE];
        let mut out = Vec::new();
        let mut offset = source.range.start;
        loop {
            let length = (source.range.end - offset).min(PIECE as u64) as usize;
            let count = self.read_at(body, source.storage, offset, &mut piece[..length])?;
            offset += count as u64;
            convert(&piece[..count], &mut out);
            self.scratch.append(&out)?;
            out.clear();
            if count == 0 {
                return Ok(begin..self.scratch.len());
            }
        }
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
