//! A header field in a header block.

use std::borrow::Cow;

use memchr::memchr2;

use crate::header::field::trim;

/// A header field as it stands in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Field<'a> {
    /// The name as written.
    pub fn name(&self) -> &'a str {
        // Only ASCII passes `find_colon`, so that nothing is ever left out here.
        str::from_utf8(self.name).unwrap_or_default()
    }

    /// What follows the colon, folding included, without the last line end.
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// The value without its folding, and without white space at its ends.
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

    /// The same as text, where it is valid UTF-8.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        match self.unfolded() {
            Cow::Borrowed(value) => str::from_utf8(value).ok().map(Cow::Borrowed),
            Cow::Owned(value) => String::from_utf8(value).ok().map(Cow::Owned),
        }
    }
}
