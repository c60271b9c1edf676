//! The parts of a text, by where they stand.

use std::ops::Range;

use super::head::Facts;

/// The parts in one stretch of octets, in the order in which they stand in it.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) parts: Vec<Found>,
    /// The one that a reader would be shown as plain text.
    pub(super) plain: Option<usize>,
    /// The one that a reader would be shown as HTML.
    pub(super) html: Option<usize>,
    /// The octets that were looked at, and looked at again.
    #[cfg(test)]
    pub(super) work: u64,
}

/// A part, by where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The part that holds this one. The first names itself.
    pub(super) parent: usize,
    pub(super) head: Range<u64>,
    pub(super) body: Range<u64>,
    pub(super) kind: Kind,
    /// Whether it holds other parts.
    pub(super) container: bool,
    /// Whether nobody has looked for what it holds.
    pub(super) is_opaque: bool,
}

/// What a part says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Alternative,
    Digest,
    /// A message that has an encoding of its own, so that its parts do not stand in the text.
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
            "message/global" | "message/rfc822" => match facts.encoding.as_str() {
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
