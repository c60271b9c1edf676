//! What the verdicts of several events have in common.

use crate::Refusal;
use crate::bindings::imports::postgate::plugin::types::{
    self, AuthVerdict, MessageVerdict, QueryVerdict, RcptVerdict, Verdict,
};

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
