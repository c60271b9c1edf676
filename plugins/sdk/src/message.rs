//! The message of the current transaction as it stands now, with the edits of earlier plugins.
//!
//! At `on-headers` the header block is there and the body is not; at `on-message` both are. At
//! other events there is no header field, and the body is empty.

pub use crate::bindings::imports::postgate::plugin::message::{Header, MimeVersionField, Part};

use crate::host;

/// The most octets that [`read_body`] and [`read_part`] give in one call.
pub const MAX_READ: u32 = 262_144;

/// The type of a part that nobody has looked into, since the message has more parts, or deeper ones,
/// than there is room for: [`part_at`] may say so of what could be anything.
pub const UNPARSED: &str = "application/x-unparsed";

/// When the client began to send the message, in seconds since 1970-01-01 UTC; `None` before.
pub fn started_at() -> Option<u32> {
    Some(host::message::started_at()).filter(|&time| time != 0)
}

/// When the message was complete, in seconds since 1970-01-01 UTC; `None` before.
pub fn completed_at() -> Option<u32> {
    Some(host::message::completed_at()).filter(|&time| time != 0)
}

/// Whether the header block is there.
pub fn headers_complete() -> bool {
    host::message::headers_complete()
}

/// The id by which the client and the log know the message: that of the transaction, unless a
/// plugin has set another one. Empty outside a transaction.
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

/// The field with this index, 0 being the topmost.
pub fn header_at(index: u32) -> Option<Header> {
    host::message::header_at(index)
}

/// All header fields, from the top.
pub fn headers() -> impl Iterator<Item = Header> {
    (0..header_count()).filter_map(header_at)
}

/// All fields of this name, from the top; letter case does not matter.
pub fn headers_named(name: &str) -> Vec<Header> {
    host::message::headers_named(name)
}

/// The topmost field of this name, unfolded and trimmed, where it is valid UTF-8.
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

/// The part with this index, in the order in which they stand in the message.
pub fn part_at(index: u32) -> Option<Part> {
    host::message::part_at(index)
}

/// All parts with their index, in the order in which they stand in the message.
pub fn parts() -> impl Iterator<Item = (u32, Part)> {
    (0..part_count()).filter_map(|index| part_at(index).map(|part| (index, part)))
}

/// Octets of the decoded content of a part from `offset` on, under the same limit as
/// [`read_body`]. Nothing for a part that is not there or only holds others.
pub fn read_part(index: u32, offset: u32, length: u32) -> Vec<u8> {
    host::message::read_part(index, offset, length)
}

/// The header fields of a part, from the top. Nothing for a part that is not there.
pub fn part_headers(index: u32) -> Vec<Header> {
    host::message::part_headers(index)
}

/// What MIME-Version says (RFC 2045 §4); `None` where it is absent or garbled.
pub fn mime_version() -> Option<MimeVersionField> {
    host::message::mime_version()
}

/// The part that a reader would be shown as plain text.
pub fn plain_part() -> Option<u32> {
    host::message::plain_part()
}

/// The part that a reader would be shown as HTML.
pub fn html_part() -> Option<u32> {
    host::message::html_part()
}

/// The text of a part, converted from its charset to UTF-8: at most `length` octets of it from octet
/// `offset` on, and never more than [`MAX_READ`]; fewer where a character would be cut. `None` for
/// a part that is not text, and for an offset inside a character.
pub fn read_text(index: u32, offset: u32, length: u32) -> Option<String> {
    host::message::read_text(index, offset, length)
}
