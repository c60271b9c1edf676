//! All parts of a message, with those that stand in something that has to be decoded first.

use std::collections::HashMap;
use std::io;

use super::found::{Kind, Scan};
use super::head::Facts;
use super::scan::{Scanner, scan};
use super::{Decoded, MAX_PARTS, Part, Source};
use postgate_spool::Content;

/// A search for the parts of a message, and of messages in it that have to be decoded first.
pub(super) struct Search<'a> {
    body: &'a Content,
    facts: &'a Facts,
    decoded: Decoded,
    parts: Vec<Part>,
    /// How many parts were found, and are not among the others yet.
    to_come: usize,
}

impl<'a> Search<'a> {
    /// In the body of a message whose header block says this.
    pub(super) fn new(body: &'a Content, facts: &'a Facts) -> Self {
        Self {
            body,
            facts,
            decoded: Decoded {
                scratch: body.scratch(),
                places: HashMap::new(),
            },
            parts: Vec::new(),
            to_come: 0,
        }
    }

    /// What was found, and what was decoded for it.
    pub(super) fn finish(self) -> (Vec<Part>, Decoded) {
        (self.parts, self.decoded)
    }

    /// Adds the parts of a text that begins at `base`. Gives which they are. Recurses no deeper than
    /// `nested`.
    pub(super) fn add(
        &mut self,
        found: Scan,
        source: Source,
        base: u64,
        holder: Option<u32>,
        nested: usize,
    ) -> io::Result<Vec<u32>> {
        self.to_come += found.parts.len();
        let is_digest: Vec<_> = found
            .parts
            .iter()
            .map(|part| found.parts[part.parent].kind == Kind::Digest)
            .collect();
        let mut places = Vec::with_capacity(found.parts.len());
        for (index, part) in found.parts.into_iter().enumerate() {
            // There are at most as many as `MAX_PARTS`.
            let place = self.parts.len() as u32;
            places.push(place);
            self.to_come -= 1;
            let is_first = part.parent == index;
            self.parts.push(Part {
                parent: match is_first {
                    true => holder.unwrap_or(place),
                    false => places[part.parent],
                },
                container: part.container,
                is_opaque: part.is_opaque,
                default: match is_digest[index] && !is_first {
                    true => "message/rfc822",
                    false => "text/plain",
                },
                source,
                head: base + part.head.start..base + part.head.end,
                body: base + part.body.start..base + part.body.end,
            });
            if part.kind == Kind::EncodedMessage && !part.is_opaque {
                self.open(place, nested)?;
            }
        }
        Ok(places)
    }

    /// Looks into a message that has to be decoded.
    fn open(&mut self, index: u32, nested: usize) -> io::Result<()> {
        let room = MAX_PARTS.saturating_sub(self.parts.len() + self.to_come);
        let part = &mut self.parts[index as usize];
        let Some(nested) = nested.checked_sub(1).filter(|_| room > 0) else {
            part.is_opaque = true;
            return Ok(());
        };
        let part = part.clone();
        let facts = self.decoded.facts(self.body, self.facts, index, &part)?;
        let place = self.decoded.decode(self.body, index, &part, &facts)?;
        let (base, length) = (place.range.start, place.range.end - place.range.start);
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
        self.add(found, Source::Decoded, base, Some(index), nested)?;
        Ok(())
    }
}

/// So deep may messages be in one another that have to be decoded.
pub(super) const MAX_NESTED: usize = 3;
