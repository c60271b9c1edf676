//! Answers of policy.

use crate::auth::ScramLookup;
use crate::reply::{Acceptance, Enhanced, Refusal};

/// The answer to an [`Ask`](crate::session::Ask).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The client is authenticated. Equal to `Proceed(None)` except for
    /// [`Ask::Auth`](crate::session::Ask::Auth), [`Ask::AuthKeys`](crate::session::Ask::AuthKeys) and
    /// [`Ask::Xclient`](crate::session::Ask::Xclient).
    Authenticated,
    /// The result of a key lookup. Equal to `Proceed(None)` except for
    /// [`Ask::AuthKeys`](crate::session::Ask::AuthKeys).
    Keys(ScramLookup),
    /// Accept, with this reply or the default one.
    Proceed(Option<Acceptance>),
    /// Refuse.
    Reject(Rejection),
}

impl Answer {
    /// The reply that replaces the default one.
    pub(super) fn into_acceptance(self) -> Option<Acceptance> {
        match self {
            Self::Proceed(acceptance) => acceptance,
            Self::Authenticated | Self::Keys(_) | Self::Reject(_) => None,
        }
    }
}

/// A refusal, and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The session continues, unless the reply code says that the connection is closed.
    Refuse(Refusal),
    /// The session ends with this reply.
    Disconnect(Refusal),
}

impl Rejection {
    /// The reply.
    pub const fn refusal(&self) -> &Refusal {
        match self {
            Self::Disconnect(refusal) | Self::Refuse(refusal) => refusal,
        }
    }

    /// True if the session ends with the reply.
    pub const fn closes(&self) -> bool {
        match self {
            Self::Disconnect(_) => true,
            Self::Refuse(refusal) => refusal.closes(),
        }
    }
}

/// `Disconnect` if the reply code says that the connection is closed, `Refuse` otherwise.
impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal.closes() {
            true => Self::Disconnect(refusal),
            false => Self::Refuse(refusal),
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Disconnect(refusal) | Rejection::Refuse(refusal) => refusal,
        }
    }
}

/// 454 for STARTTLS if TLS is temporarily unavailable (RFC 3207 §4).
pub const TLS_NOT_AVAILABLE: Refusal = Refusal::fixed(
    454,
    Enhanced::new(4, 7, 0),
    "TLS not available due to temporary reason",
);
