//! One part of a message, by the position of its octets.

use std::ops::Range;

/// One part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The index of the part that contains this one. The first part names itself.
    pub parent: u32,
    /// True if the part contains other parts.
    pub container: bool,
    /// True if the part was not searched for parts, because the message exceeds a limit on their
    /// number, their depth or the size of their header blocks.
    pub is_opaque: bool,
    /// True if programs may find other parts in it, or its content elsewhere.
    pub(super) is_ambiguous: bool,
    /// The content type if the part has no Content-Type field.
    pub(super) default_type: &'static str,
    pub(super) storage: Storage,
    pub(super) head: Range<u64>,
    pub(super) body: Range<u64>,
}

impl Part {
    /// True if the part stands in the body as it was sent. False if it was found in the decoded content
    /// of another part.
    pub const fn is_as_sent(&self) -> bool {
        matches!(self.storage, Storage::Body)
    }
}

/// Where octets are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// In the body of the message.
    Body,
    /// In the scratch space, since they were decoded.
    Scratch,
}
