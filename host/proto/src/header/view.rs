//! A field of a header block.

use std::borrow::Cow;

use memchr::memchr2;

use crate::header::field::trim;

/// A field of a header block, as in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Field<'a> {
    /// The name, as written.
    pub fn name(&self) -> &'a str {
        // Never the default: `find_colon` accepts ASCII only.
        str::from_utf8(self.name).unwrap_or_default()
    }

    /// The octets after the colon, including folding, without the last line ending.
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// The value without folding, and without white space at its ends.
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        let value = trim(self.value);
        match memchr2(b'\r', b'\n', value) {
            None => Cow::Borrowed(value),
            Some(_) => {
                let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
                Cow::Owned(value.iter().copied().filter(is_text).collect())
            }
        }
    }

    /// The unfolded value. Returns `None` if it is not valid UTF-8.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        match self.unfolded() {
            Cow::Borrowed(value) => str::from_utf8(value).ok().map(Cow::Borrowed),
            Cow::Owned(value) => String::from_utf8(value).ok().map(Cow::Owned),
        }
    }
}
