//! The verdict on the failure of a plugin.

use postgate_contract::{Event, OnFailure};
use postgate_proto::reply::{Enhanced, Refusal};
use postgate_proto::session::TLS_NOT_AVAILABLE;
use postgate_spool::NO_ROOM;

use crate::error::HostFault;
use crate::verdict::{Refused, Verdict};

/// Returns the verdict that the operator chose (`on-failure`) for the failure of a plugin at an event.
/// [`Verdict::Next`] means to continue as if the plugin had no objection.
pub(super) fn verdict_of_failure(on_failure: OnFailure, event: Event) -> Verdict {
    match (on_failure, event) {
        // A notice cannot be refused, and the plugins after this one have to be notified too.
        (_, event) if event.is_notice() => Verdict::Next,
        (OnFailure::Accept, _) => Verdict::Next,
        // The credentials may be right, so the reply is temporary (RFC 4954 §6).
        (_, Event::Auth | Event::AuthKeys) => Verdict::Refuse(Refused::from(AUTH_LATER)),
        (OnFailure::Reject, _) => Verdict::Refuse(Refused::from(REFUSED_FOR_FAILURE)),
        (OnFailure::Tempfail, Event::Connect | Event::Helo | Event::Proxy) => {
            Verdict::Disconnect(Refused::from(CONNECT_LATER))
        }
        (OnFailure::Tempfail, Event::StartTls) => Verdict::Refuse(Refused::from(TLS_NOT_AVAILABLE)),
        (OnFailure::Tempfail, _) => Verdict::Refuse(Refused::from(Refusal::TRY_LATER)),
    }
}

/// Returns the verdict on a fault of the host at an event, whatever the operator chose for failures of the
/// plugin: the plugin was not heard, so the client has to try later.
pub(super) fn verdict_of_host_fault(fault: &HostFault, event: Event) -> Verdict {
    let is_about_mail = matches!(
        event,
        Event::Mail
            | Event::Rcpt
            | Event::Data
            | Event::Headers
            | Event::BodyChunk
            | Event::Message
    );
    match fault.is_lack_of_space() && is_about_mail {
        true => Verdict::Refuse(Refused::from(NO_ROOM)),
        false => verdict_of_failure(OnFailure::Tempfail, event),
    }
}

/// The reply to AUTH if the credentials could not be verified.
pub(super) const AUTH_LATER: Refusal = Refusal::fixed(
    454,
    Enhanced::new(4, 7, 0),
    "Temporary authentication failure",
);
/// The reply to a client for which plugins have used more processor time than they may.
pub const TOO_MUCH_WORK: Refusal = Refusal::fixed(
    421,
    Enhanced::new(4, 7, 0),
    "Too much work for your mail, slow down",
);
/// The reply to a client that should connect again later.
pub(super) const CONNECT_LATER: Refusal = Refusal::fixed(
    421,
    Enhanced::new(4, 3, 0),
    "Temporary problem, try again later",
);
/// The permanent refusal for the failure of a plugin.
pub(super) const REFUSED_FOR_FAILURE: Refusal =
    Refusal::fixed(554, Enhanced::new(5, 3, 0), "Message system error");
