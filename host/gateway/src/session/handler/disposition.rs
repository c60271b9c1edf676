//! The fate of a message, and the answer for the client.

use postgate_proto::reply::{Acceptance, Refusal, Reply};
use postgate_proto::session::{Answer, Rejection};
use postgate_runtime::question::Fate;

/// The fate of a message, and the answer for the client.
#[derive(Debug)]
pub(super) struct Disposition {
    pub(super) fate: Fate,
    pub(super) answer: Result<Acceptance, Rejection>,
}

impl Disposition {
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self {
            fate: Fate::Refused,
            answer: Err(Rejection::from(refusal)),
        }
    }

    pub(super) const fn accepted(fate: Fate, acceptance: Acceptance) -> Self {
        Self {
            fate,
            answer: Ok(acceptance),
        }
    }

    /// Returns the reply for the client.
    pub(super) const fn reply(&self) -> &Reply {
        match &self.answer {
            Ok(acceptance) => acceptance.reply(),
            Err(rejection) => rejection.refusal().reply(),
        }
    }
}

impl From<Disposition> for Answer {
    fn from(disposition: Disposition) -> Self {
        match disposition.answer {
            Ok(acceptance) => Self::Proceed(Some(acceptance)),
            Err(rejection) => Self::Reject(rejection),
        }
    }
}
