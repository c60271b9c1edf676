//! Where a transaction with a server stands.

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::reply::{Acceptance, Refusal};

use crate::error::DeliveryError;
use crate::smtp::connection::Connection;

/// The result of a call, and the state after it.
pub(super) struct Step {
    pub(super) next: State,
    pub(super) result: Result<Acceptance, DeliveryError>,
}

impl Step {
    pub(super) const fn interrupted() -> Self {
        Self {
            next: State::Interrupted,
            result: Err(DeliveryError::Refused(Refusal::TRY_LATER)),
        }
    }
}

/// The state of a transaction. Each call takes it by value, so that a connection cannot be used
/// after it has failed.
#[derive(Debug)]
pub(super) enum State {
    /// The server knows nothing of the transaction.
    New,
    /// The server has accepted the sender, and perhaps recipients.
    Open(Box<Open>),
    /// Nothing more is accepted.
    Failed(Failed),
    /// A call was dropped before it ended. How much the server has read is unknown, so that the
    /// connection was closed with the call, and all that is left to say is "try later".
    ///
    /// This is also the state during a call: the future of an `async fn` can be dropped at any
    /// `.await`, and there is no other moment to leave this state behind.
    Interrupted,
}

impl State {
    pub(super) fn has_accepted(&self, path: &ForwardPath) -> bool {
        match self {
            Self::Open(open) => {
                let mut accepted = open.accepted.iter();
                accepted.any(|accepted| accepted.path == *path)
            }
            Self::Failed(failed) => failed.accepted.contains(path),
            Self::Interrupted | Self::New => false,
        }
    }
}

#[derive(Debug)]
pub(super) struct Open {
    pub(super) connection: Connection,
    /// The sender that the server was told.
    pub(super) sender: ReversePath,
    /// The recipients that the server has accepted.
    pub(super) accepted: Vec<Recipient>,
}

impl Open {
    /// True if the server has accepted this sender and these recipients, in their order.
    pub(super) fn is_for(&self, envelope: &Envelope, recipients: &[&Recipient]) -> bool {
        let paths = recipients.iter().map(|recipient| &recipient.path);
        let accepted = self.accepted.iter().map(|accepted| &accepted.path);
        self.sender == envelope.sender && accepted.eq(paths)
    }

    pub(super) fn answered(
        mut self,
        recipient: &Recipient,
        answer: Result<Acceptance, Refusal>,
    ) -> Step {
        if answer.is_ok() {
            self.accepted.push(recipient.clone());
        }
        Step {
            next: State::Open(Box::new(self)),
            result: answer.map_err(DeliveryError::Refused),
        }
    }
}

pub(super) fn paths(recipients: Vec<Recipient>) -> Vec<ForwardPath> {
    let paths = recipients.into_iter().map(|recipient| recipient.path);
    paths.collect()
}

#[derive(Debug)]
pub(super) struct Failed {
    /// The answer to every later call.
    pub(super) refusal: Refusal,
    /// The recipients that the server had accepted before.
    pub(super) accepted: Vec<ForwardPath>,
}

impl Failed {
    pub(super) fn error(&self) -> DeliveryError {
        DeliveryError::Refused(self.refusal.clone())
    }
}
