//! A message on its way to the backend.

use postgate_proto::address::ReversePath;
use postgate_spool::Content;

/// A message to hand over.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The rendered header block, including the empty line that ends it.
    pub head: &'a [u8],
    /// The body.
    pub body: &'a Content,
    /// The id of the message in the log.
    pub id: &'a str,
}

impl<'a> Message<'a> {
    /// A message of these parts, without an id.
    pub const fn new(head: &'a [u8], body: &'a Content) -> Self {
        Self { head, body, id: "" }
    }
}

/// A message as the client sent it, before plugins and the gateway changed it. It is nearly the same
/// at every attempt of the client, so that retries are recognised by it.
#[derive(Clone, Copy, Debug)]
pub struct OriginalMessage<'a> {
    /// The sender that the client named.
    pub sender: &'a ReversePath,
    /// The header block.
    pub head: &'a [u8],
    /// The body.
    pub body: &'a Content,
}
