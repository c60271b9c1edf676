//! A line of a header block: where it is, and the name of the field in it.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::ops::Range;

use crate::header::field::{is_name_byte, is_white_space};
use crate::header::view::Field;

/// A field with its continuation lines, or a line that is none.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) range: Range<usize>,
    /// Where the colon of a field stands, counted from its start.
    colon: Option<NonZeroU32>,
    /// The tag of its name: other names have another one, nearly always.
    tag: u32,
}

/// A name that is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tagged<'a> {
    name: &'a [u8],
    tag: u32,
}

impl<'a> Tagged<'a> {
    /// Made with the hasher of the lines that it is compared with.
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
        // A name of 4 GiB is none.
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

/// The same for names that differ in letter case.
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
    // The lower half of it is as good.
    tag as u32
}

/// Longer names are copied to be hashed.
const SHORT_NAME: usize = 80;

/// The colon that ends a field name. White space may stand before it (RFC 5322 §4.5).
fn find_colon(line: &[u8]) -> Option<usize> {
    let name = line.iter().position(|byte| !is_name_byte(*byte))?;
    let space = line[name..]
        .iter()
        .position(|byte| !is_white_space(*byte))?;
    let colon = name + space;
    (name > 0 && line[colon] == b':').then_some(colon)
}
