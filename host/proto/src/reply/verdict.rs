//! Replies that accept, and replies that refuse.

use crate::reply::any::{InvalidReply, Reply};
use crate::reply::enhanced::Enhanced;

/// A reply with a code from 200 to 299.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance(Reply);

impl Acceptance {
    /// Converts a reply. A missing enhanced status code or text is added.
    ///
    /// # Errors
    ///
    /// Fails if the code is not in 200 to 299.
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

/// A reply with a code from 400 to 599.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Reply);

impl Refusal {
    /// The server has a temporary problem.
    pub const TRY_LATER: Self = Self::fixed(
        451,
        Enhanced::new(4, 3, 0),
        "Temporary problem, try again later",
    );

    /// Converts a reply. A missing enhanced status code or text is added.
    ///
    /// # Errors
    ///
    /// Fails if the code is not in 400 to 599.
    pub fn new(reply: Reply) -> Result<Self, InvalidReply> {
        match reply.code() / 100 {
            4 | 5 => Ok(Self(reply.completed())),
            _ => Err(InvalidReply::Code(reply.code())),
        }
    }

    /// A refusal with a constant text.
    ///
    /// # Panics
    ///
    /// Panics if the code is not in 400 to 599, or if the class of the enhanced status code differs
    /// from it. In constants, this is a compile error.
    pub const fn fixed(code: u16, enhanced: Enhanced, text: &'static str) -> Self {
        assert!(code >= 400, "this code does not refuse");
        Self(Reply::fixed(code, enhanced, text))
    }

    /// True for codes 4xx: the client may try again (RFC 5321 §4.2.1).
    pub const fn is_temporary(&self) -> bool {
        self.0.code() < 500
    }

    /// True if the code says that the connection is closed: 421 (RFC 5321 §3.8) and 521 (RFC 7504).
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
