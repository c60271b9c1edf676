//! Replies that accept, and replies that refuse.

use crate::reply::any::{InvalidReply, Reply};
use crate::reply::enhanced::Enhanced;

/// A reply that accepts: its code is 200 to 299.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance(Reply);

impl Acceptance {
    /// Takes a reply whose code begins with 2.
    pub fn new(reply: Reply) -> Result<Self, InvalidReply> {
        match reply.code() / 100 {
            2 => Ok(Self(reply.completed())),
            _ => Err(InvalidReply::Code(reply.code())),
        }
    }

    /// The reply.
    pub const fn reply(&self) -> &Reply {
        &self.0
    }
}

/// A reply that refuses: its code is 400 to 599.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Reply);

impl Refusal {
    /// The gateway or something behind it has a problem; the client should try again.
    pub const TRY_LATER: Self = Self::fixed(
        451,
        Enhanced::new(4, 3, 0),
        "Temporary problem, try again later",
    );

    /// Takes a reply whose code begins with 4 or 5.
    pub fn new(reply: Reply) -> Result<Self, InvalidReply> {
        match reply.code() / 100 {
            4 | 5 => Ok(Self(reply.completed())),
            _ => Err(InvalidReply::Code(reply.code())),
        }
    }

    /// A refusal whose text is part of the program.
    ///
    /// # Panics
    ///
    /// At compile time, where the code does not refuse.
    pub const fn fixed(code: u16, enhanced: Enhanced, text: &'static str) -> Self {
        assert!(code >= 400, "this code does not refuse");
        Self(Reply::fixed(code, enhanced, text))
    }

    /// Whether the client may try again (RFC 5321 §4.2.1).
    pub const fn is_temporary(&self) -> bool {
        self.0.code() < 500
    }

    /// Whether the reply tells that the connection is being closed: 421 (RFC 5321 §3.8) and 521
    /// (RFC 7504).
    pub const fn closes(&self) -> bool {
        matches!(self.0.code(), 421 | 521)
    }

    /// The reply.
    pub const fn reply(&self) -> &Reply {
        &self.0
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        refusal.0
    }
}

impl From<Acceptance> for Reply {
    fn from(acceptance: Acceptance) -> Self {
        acceptance.0
    }
}
