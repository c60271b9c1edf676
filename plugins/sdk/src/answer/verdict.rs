//! The verdicts: those of all events, and those of some.

use crate::bindings::imports::postgate::plugin::types::{
    self, AuthVerdict, MessageEdit, MessageVerdict, RcptEdit, RcptVerdict, SessionEdit, Verdict,
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
