//! The verdicts: those of all events, and those of some.

use crate::bindings::imports::postgate::plugin::types::{
    self, AuthVerdict, MessageEdit, MessageVerdict, QueryVerdict, RcptEdit, RcptVerdict,
    SessionEdit, Verdict,
};
use crate::{Answer, Refusal};

impl<E> Answer<Verdict, E> {
    /// Accept this step, and ask no further plugin at this event.
    pub fn accept() -> Self {
        Self::from(Verdict::Accept)
    }
}

impl Answer<AuthVerdict, SessionEdit> {
    /// The credentials are right: act as this identity, 1 to 255 octets.
    pub fn accept(identity: impl Into<String>) -> Self {
        Self::from(AuthVerdict::Accept(identity.into()))
    }
}

impl Answer<RcptVerdict, RcptEdit> {
    /// Offer the recipient to the backend and ask no further plugin.
    pub fn accept() -> Self {
        Self::from(RcptVerdict::Accept)
    }

    /// Refuse this recipient, but tell the client only after the message has been received.
    pub fn defer(refusal: Refusal) -> Self {
        Self::from(RcptVerdict::Defer(types::Refusal::from(refusal)))
    }
}

impl Answer<MessageVerdict, MessageEdit> {
    /// Hand the message to the backend and ask no further plugin.
    pub fn accept() -> Self {
        Self::from(MessageVerdict::Accept)
    }

    /// Tell the client that the message was accepted, and drop it. The reason is for the log.
    pub fn discard(reason: impl Into<String>) -> Self {
        Self::from(MessageVerdict::Discard(reason.into()))
    }

    /// Put the message into the operator's quarantine. The reason is for the log.
    pub fn quarantine(reason: impl Into<String>) -> Self {
        Self::from(MessageVerdict::Quarantine(reason.into()))
    }
}

/// What all verdicts have in common.
pub trait Decision: Sized {
    /// No objection, or no answer.
    const NEXT: Self;

    /// Refuse and close the connection.
    fn disconnect(refusal: Refusal) -> Self;

    /// The refusal, if this is one.
    fn refusal(&self) -> Option<Refusal>;
}

/// What the verdicts on a step of the session have in common.
pub trait Refusable: Decision {
    /// Refuse this step.
    fn refuse(refusal: Refusal) -> Self;
}

macro_rules! decision {
    ($($verdict:ident),+) => {$(
        impl Decision for $verdict {
            const NEXT: Self = Self::Next;

            fn disconnect(refusal: Refusal) -> Self {
                Self::Disconnect(types::Refusal::from(refusal))
            }

            fn refusal(&self) -> Option<Refusal> {
                match self {
                    Self::Refuse(refusal) | Self::Disconnect(refusal) => {
                        Some(Refusal::from(refusal.clone()))
                    }
                    _ => None,
                }
            }
        }

        impl Refusable for $verdict {
            fn refuse(refusal: Refusal) -> Self {
                Self::Refuse(types::Refusal::from(refusal))
            }
        }
    )+};
}

decision!(AuthVerdict, MessageVerdict, RcptVerdict, Verdict);

/// A reply that refuses is an answer, and does not count as a refusal.
impl Decision for QueryVerdict {
    const NEXT: Self = Self::Next;

    fn disconnect(refusal: Refusal) -> Self {
        Self::Disconnect(types::Refusal::from(refusal))
    }

    fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Disconnect(refusal) => Some(Refusal::from(refusal.clone())),
            Self::Next | Self::Reply(_) => None,
        }
    }
}
