//! A line of a header block.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::ops::Range;

use crate::header::field::{is_name_byte, is_white_space};
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
}

impl Line {
    pub(super) fn new(buffer: &[u8], range: Range<usize>, hasher: &RandomState) -> Self {
        let line = &buffer[range.clone()];
        // A line with a name of 4 GiB is not a field.
        let colon = find_colon(line).and_then(|colon| u32::try_from(colon).ok());
        let colon = colon.and_then(NonZeroU32::new);
        Self {
            range,
            colon,
            tag: match colon {
                None => 0,
                Some(colon) => tag(line[..colon.get() as usize].trim_ascii_end(), hasher),
            },
        }
    }

    pub(super) const fn is_field(&self) -> bool {
        self.colon.is_some()
    }

    pub(super) fn is_named(&self, buffer: &[u8], name: Tagged<'_>) -> bool {
        self.tag == name.tag
            && self
                .field(buffer)
                .is_some_and(|field| field.name.eq_ignore_ascii_case(name.name))
    }

    pub(super) fn field<'a>(&self, buffer: &'a [u8]) -> Option<Field<'a>> {
        let colon = self.colon?.get() as usize;
        let line = &buffer[self.range.clone()];
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

/// The offset of the colon after a field name and optional white space (RFC 5322 §4.5).
fn find_colon(line: &[u8]) -> Option<usize> {
    let name = line.iter().position(|byte| !is_name_byte(*byte))?;
    let space = line[name..]
        .iter()
        .position(|byte| !is_white_space(*byte))?;
    let colon = name + space;
    (name > 0 && line[colon] == b':').then_some(colon)
}
