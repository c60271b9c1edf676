//! The message of the current transaction, with the edits of earlier plugins.
//!
//! At `on-headers`, only the header block is available; at `on-message`, the body is, too. At other
//! events there are no header fields, and the body is empty.

pub use crate::bindings::imports::postgate::plugin::message::{
    Header, MimeVersionField, Part, PartDefect,
};

use crate::host;

/// The most octets that [`read_body`] and [`read_part`] return in one call.
pub const MAX_READ: u32 = 262_144;

/// The type of a part that has not been parsed, because the message has too many parts or too many
/// levels of nesting. Its content can be anything.
pub const UNPARSED: &str = "application/x-unparsed";

impl Part {
    /// The file name that most mail programs use; [`filenames`](Self::filenames) has all of them.
    pub fn filename(&self) -> Option<&str> {
        self.filenames.first().map(String::as_str)
    }
}

/// When the client began to send the message, in seconds since 1970-01-01 UTC; `None` before.
pub fn started_at() -> Option<u32> {
    Some(host::message::started_at()).filter(|&time| time != 0)
}

/// When the message was complete, in seconds since 1970-01-01 UTC; `None` before.
pub fn completed_at() -> Option<u32> {
    Some(host::message::completed_at()).filter(|&time| time != 0)
}

/// True if the header block is complete.
pub fn headers_complete() -> bool {
    host::message::headers_complete()
}

/// The id of the message in the log and in the reply to the client: the id of the transaction,
/// unless a plugin has set another one. Empty outside a transaction.
pub fn id() -> String {
    host::message::id()
}

/// The size of the message in octets: header block, blank line, and body.
pub fn size() -> u32 {
    host::message::size()
}

/// The number of header fields.
pub fn header_count() -> u32 {
    host::message::header_count()
}

/// The field with this index; 0 is the topmost.
pub fn header_at(index: u32) -> Option<Header> {
    host::message::header_at(index)
}

/// All header fields, from the top.
pub fn headers() -> impl Iterator<Item = Header> {
    (0..header_count()).filter_map(header_at)
}

/// All fields with this name, from the top; letter case does not matter.
pub fn headers_named(name: &str) -> Vec<Header> {
    host::message::headers_named(name)
}

/// The value of the topmost field with this name, unfolded and trimmed, if it is valid UTF-8.
pub fn header_text(name: &str) -> Option<String> {
    host::message::header_text(name)
}

/// The size of the body in octets.
pub fn body_size() -> u32 {
    host::message::body_size()
}

/// Octets of the body from `offset` on; fewer than `length` at the end of the body, and never more
/// than [`MAX_READ`].
pub fn read_body(offset: u32, length: u32) -> Vec<u8> {
    host::message::read_body(offset, length)
}

/// The number of MIME parts; at least 1 at `on-message`, and 0 at other events.
pub fn part_count() -> u32 {
    host::message::part_count()
}

/// The part with this index, in the order of the message.
pub fn part_at(index: u32) -> Option<Part> {
    host::message::part_at(index)
}

/// All parts with their index, in the order of the message.
pub fn parts() -> impl Iterator<Item = (u32, Part)> {
    (0..part_count()).filter_map(|index| part_at(index).map(|part| (index, part)))
}

/// Octets of the content of a part without its transfer encoding, whatever its type, from `offset`
/// on, with the same limits as [`read_body`].
/// Empty for a part that does not exist or only contains others.
pub fn read_part(index: u32, offset: u32, length: u32) -> Vec<u8> {
    host::message::read_part(index, offset, length)
}

/// The header fields of a part, from the top. Empty for a part that does not exist.
pub fn part_headers(index: u32) -> Vec<Header> {
    host::message::part_headers(index)
}

/// The content of MIME-Version (RFC 2045 §4); `None` if it is absent or malformed.
pub fn mime_version() -> Option<MimeVersionField> {
    host::message::mime_version()
}

/// The part that a mail program would show as plain text.
pub fn plain_part() -> Option<u32> {
    host::message::plain_part()
}

/// The part that a mail program would show as HTML.
pub fn html_part() -> Option<u32> {
    host::message::html_part()
}

/// The text of a part, converted from its charset to UTF-8: at most `length` octets from octet
/// `offset` on, and never more than [`MAX_READ`]. Fewer are returned rather than part of a
/// character. `None` for a part that is not text, and for an offset inside a character.
pub fn read_text(index: u32, offset: u32, length: u32) -> Option<String> {
    host::message::read_text(index, offset, length)
}
