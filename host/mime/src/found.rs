//! The result of a scan: parts by their position in the scanned octets.

use std::ops::Range;

use super::facts::Facts;
use super::message_type::is_message;

/// The parts of the scanned octets, in the order in which they begin.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) parts: Vec<Found>,
    /// The part that mail readers show as plain text.
    pub(super) plain: Option<usize>,
    /// The part that mail readers show as HTML.
    pub(super) html: Option<usize>,
    /// The number of octets examined, counted again each time they are examined again.
    #[cfg(test)]
    pub(super) work: u64,
}

/// A part, by its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The index of the part that contains this one. The first part names itself.
    pub(super) parent: usize,
    pub(super) head: Range<u64>,
    pub(super) body: Range<u64>,
    pub(super) kind: Kind,
    /// True if the part contains other parts.
    pub(super) container: bool,
    /// True if programs may find other parts in it, or its content elsewhere.
    pub(super) is_ambiguous: bool,
    /// True if the part was not searched for parts.
    pub(super) is_opaque: bool,
}

/// The content types that matter for the structure of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Alternative,
    Digest,
    /// A message with a transfer encoding of its own, whose parts are not in the scanned octets.
    EncodedMessage,
    Html,
    Message,
    Multipart,
    Other,
    Plain,
    Related,
}

impl Kind {
    pub(super) fn of(facts: &Facts) -> Self {
        let content_type = facts.content_type.as_str();
        match content_type {
            "multipart/alternative" => Self::Alternative,
            "multipart/digest" => Self::Digest,
            "multipart/related" => Self::Related,
            _ if is_message(content_type) => match facts.encoding.as_str() {
                "base64" | "quoted-printable" => Self::EncodedMessage,
                _ => Self::Message,
            },
            "text/html" => Self::Html,
            "text/plain" => Self::Plain,
            _ if content_type.starts_with("multipart/") => Self::Multipart,
            _ => Self::Other,
        }
    }

    pub(super) const fn is_multipart(self) -> bool {
        matches!(
            self,
            Self::Alternative | Self::Digest | Self::Multipart | Self::Related
        )
    }
}
