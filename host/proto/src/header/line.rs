//! A line of a header block.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::ops::Range;

use crate::header::scan::HeaderLine;
use crate::header::view::Field;

/// A field with its continuation lines, or a line that is not a field.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) range: Range<usize>,
    /// The offset of the colon. `None` if the line is not a field.
    colon: Option<NonZeroU32>,
    /// A hash of the name, to compare names without reading the buffer.
    tag: u32,
}

/// A name to search for, with its tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tagged<'a> {
    name: &'a [u8],
    tag: u32,
}

impl<'a> Tagged<'a> {
    /// Uses the hasher of the lines to compare with.
    pub(super) fn new(name: &'a [u8], hasher: &RandomState) -> Self {
        Self {
            name,
            tag: tag(name, hasher),
        }
    }

    /// The hash of the name, as lines have it.
    pub(super) const fn tag(self) -> u32 {
        self.tag
    }
}

impl Line {
    /// A line of this kind.
    pub(super) fn new(
        kind: HeaderLine,
        buffer: &[u8],
        range: Range<usize>,
        hasher: &RandomState,
    ) -> Self {
        let HeaderLine::Field { name, colon } = kind else {
            return Self {
                range,
                colon: None,
                tag: 0,
            };
        };
        let tag = tag(&buffer[range.start..range.start + name], hasher);
        // Lossless: the name is shorter than a line.
        let colon = NonZeroU32::new(colon as u32);
        Self { range, colon, tag }
    }

    /// A field that was written by [`write_field`](super::field::write_field) or mended.
    pub(super) fn of_field(buffer: &[u8], range: Range<usize>, hasher: &RandomState) -> Self {
        let kind = HeaderLine::of(&buffer[range.clone()]);
        Self::new(kind, buffer, range, hasher)
    }

    /// The line in a buffer that has so many more octets before it.
    pub(super) fn moved_by(mut self, octets: usize) -> Self {
        self.range = self.range.start + octets..self.range.end + octets;
        self
    }

    /// A hash of the name, or 0 if the line is not a field.
    pub(super) const fn tag(&self) -> u32 {
        self.tag
    }

    pub(super) const fn is_field(&self) -> bool {
        self.colon.is_some()
    }

    /// The offset of the colon. `None` if the line is not a field.
    pub(super) fn colon(&self) -> Option<usize> {
        // Lossless: the name is shorter than a line.
        self.colon.map(|colon| colon.get() as usize)
    }

    pub(super) fn text<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        &buffer[self.range.clone()]
    }

    pub(super) fn is_named(&self, buffer: &[u8], name: Tagged<'_>) -> bool {
        self.tag == name.tag
            && self
                .field(buffer)
                .is_some_and(|field| field.name.eq_ignore_ascii_case(name.name))
    }

    pub(super) fn field<'a>(&self, buffer: &'a [u8]) -> Option<Field<'a>> {
        let colon = self.colon()?;
        let line = self.text(buffer);
        let value = &line[colon + 1..];
        Some(Field {
            name: line[..colon].trim_ascii_end(),
            value: value
                .strip_suffix(b"\r\n")
                .or_else(|| value.strip_suffix(b"\n"))
                .or_else(|| value.strip_suffix(b"\r"))
                .unwrap_or(value),
        })
    }
}

/// A hash of a name that ignores letter case.
fn tag(name: &[u8], hasher: &RandomState) -> u32 {
    let mut short = [0; SHORT_NAME];
    let tag = match short.get_mut(..name.len()) {
        Some(lower) => {
            lower.copy_from_slice(name);
            lower.make_ascii_lowercase();
            hasher.hash_one(lower)
        }
        None => hasher.hash_one(name.to_ascii_lowercase()),
    };
    // Truncation to the lower 32 bits is intended.
    tag as u32
}

/// The maximum length of a name that is hashed without an allocation, in octets.
const SHORT_NAME: usize = 80;
