//! What the failure of a plugin means for the client.

use postgate_contract::{Event, OnFailure};
use postgate_proto::reply::{Enhanced, Refusal};
use postgate_proto::session::TLS_NOT_AVAILABLE;

use crate::verdict::{Refused, Verdict};

/// The verdict that the operator chose for the failure of a plugin at an event. [`Verdict::Next`]: go
/// on as if the plugin had no objection.
pub(super) fn verdict_of_failure(on_failure: OnFailure, event: Event) -> Verdict {
    match (on_failure, event) {
        // There is nothing to refuse, and the plugins behind it need to be told too.
        (_, event) if event.is_notice() => Verdict::Next,
        (OnFailure::Accept, _) => Verdict::Next,
        // It says nothing about the client, whose password may be right (RFC 4954 §6).
        (_, Event::Auth | Event::AuthKeys) => Verdict::Refuse(Refused::from(AUTH_LATER)),
        (OnFailure::Reject, _) => Verdict::Refuse(Refused::from(REFUSED_FOR_FAILURE)),
        (OnFailure::Tempfail, Event::Connect | Event::Helo | Event::Proxy) => {
            Verdict::Disconnect(Refused::from(CONNECT_LATER))
        }
        (OnFailure::Tempfail, Event::StartTls) => Verdict::Refuse(Refused::from(TLS_NOT_AVAILABLE)),
        (OnFailure::Tempfail, _) => Verdict::Refuse(Refused::from(Refusal::TRY_LATER)),
    }
}

pub(super) const AUTH_LATER: Refusal = Refusal::fixed(
    454,
    Enhanced::new(4, 7, 0),
    "Temporary authentication failure",
);
pub(super) const CONNECT_LATER: Refusal = Refusal::fixed(
    421,
    Enhanced::new(4, 3, 0),
    "Temporary problem, try again later",
);
pub(super) const REFUSED_FOR_FAILURE: Refusal =
    Refusal::fixed(554, Enhanced::new(5, 3, 0), "Message system error");
