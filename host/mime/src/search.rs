//! Finds all parts of a message, including those in encoded messages, which are decoded for it.

use std::io;

use super::decoded::Decoded;
use super::facts::Facts;
use super::found::{Kind, Scan};
use super::part::{Part, Storage};
use super::scan::{Scanner, scan};
use super::source::{Scratch, Source};

/// A search for the parts of a message.
pub(super) struct Search<'a> {
    body: &'a dyn Source,
    facts: &'a Facts,
    decoded: Decoded,
    parts: Vec<Part>,
    /// The number of parts that were found but are not in `parts` yet.
    pending: usize,
}

impl<'a> Search<'a> {
    /// A search in the body of a message whose header block says `facts`.
    pub(super) fn new(body: &'a dyn Source, facts: &'a Facts, scratch: Box<dyn Scratch>) -> Self {
        Self {
            body,
            facts,
            decoded: Decoded::new(scratch),
            parts: Vec::new(),
            pending: 0,
        }
    }

    /// Returns the parts, and the content that was decoded to find them.
    pub(super) fn finish(self) -> (Vec<Part>, Decoded) {
        (self.parts, self.decoded)
    }

    /// Adds the parts of a scan that began at `base`, inside the part `holder`, and returns their
    /// indices. Decodes at most `nested` messages within one another.
    pub(super) fn add(
        &mut self,
        found: Scan,
        storage: Storage,
        base: u64,
        holder: Option<u32>,
        nested: usize,
    ) -> io::Result<Vec<u32>> {
        self.pending += found.parts.len();
        let in_digest: Vec<_> = found
            .parts
            .iter()
            .map(|part| found.parts[part.parent].kind == Kind::Digest)
            .collect();
        let mut indices = Vec::with_capacity(found.parts.len());
        for (position, part) in found.parts.into_iter().enumerate() {
            // Fits, since there are at most `MAX_PARTS`.
            let index = self.parts.len() as u32;
            indices.push(index);
            self.pending -= 1;
            let is_first = part.parent == position;
            self.parts.push(Part {
                parent: match is_first {
                    true => holder.unwrap_or(index),
                    false => indices[part.parent],
                },
                container: part.container,
                is_opaque: part.is_opaque,
                is_ambiguous: part.is_ambiguous,
                default_type: match in_digest[position] && !is_first {
                    true => "message/rfc822",
                    false => "text/plain",
                },
                storage,
                head: base + part.head.start..base + part.head.end,
                body: base + part.body.start..base + part.body.end,
            });
            if part.kind == Kind::EncodedMessage && !part.is_opaque {
                self.open(index, nested)?;
            }
        }
        Ok(indices)
    }

    /// Decodes a message and adds its parts.
    fn open(&mut self, index: u32, nested: usize) -> io::Result<()> {
        let room = MAX_PARTS.saturating_sub(self.parts.len() + self.pending);
        let part = &mut self.parts[index as usize];
        let Some(nested) = nested.checked_sub(1).filter(|_| room > 0) else {
            part.is_opaque = true;
            return Ok(());
        };
        let part = part.clone();
        let facts = self.decoded.facts(self.body, self.facts, index, &part)?;
        let location = self.decoded.decode(self.body, index, &part, &facts)?;
        let (base, length) = (
            location.range.start,
            location.range.end - location.range.start,
        );
        if length == 0 {
            return Ok(());
        }
        let scratch = &self.decoded.scratch;
        let found = scan(Scanner::of_message(room), length, |offset, buffer| {
            let left = usize::try_from(length - offset).unwrap_or(usize::MAX);
            let count = buffer.len().min(left);
            scratch.read_at(base + offset, &mut buffer[..count])
        })?;
        self.parts[index as usize].container = true;
        self.add(found, Storage::Scratch, base, Some(index), nested)?;
        Ok(())
    }
}

/// The most parts that are found in a message. The last one is the rest of a message that has more.
pub const MAX_PARTS: usize = 1_000;
/// The most messages within one another that are decoded to find their parts.
pub(super) const MAX_NESTED: usize = 3;
