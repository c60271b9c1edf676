//! Failures of the host while it asks a plugin: `on-failure` does not apply, and the breaker does not count.

use std::io;

use postgate_spool::NO_ROOM;

use super::*;
use crate::error::HostFault;

fn full(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    let error = io::Error::from(io::ErrorKind::StorageFull);
    Err(HostFault::Message(error).into())
}

fn busy(_: Question<'_>, _: &Context) -> Result<PluginAnswer, PluginError> {
    Err(HostFault::Busy(Duration::ZERO).into())
}

#[tokio::test]
async fn the_operator_is_not_asked_what_a_fault_of_the_host_means() {
    let later = Refused::from(Refusal::TRY_LATER);
    let table: [(Answer, Event, Verdict); 5] = [
        (
            full,
            Event::Message,
            Verdict::Refuse(Refused::from(NO_ROOM)),
        ),
        (busy, Event::Message, Verdict::Refuse(later.clone())),
        (busy, Event::Rcpt, Verdict::Refuse(later)),
        (
            full,
            Event::Auth,
            Verdict::Refuse(Refused::from(AUTH_LATER)),
        ),
        (
            full,
            Event::Connect,
            Verdict::Disconnect(Refused::from(CONNECT_LATER)),
        ),
    ];
    for (answer, event, expected) in table {
        for on_failure in [OnFailure::Accept, OnFailure::Reject, OnFailure::Tempfail] {
            let mut pipeline = pipeline(&[(answer, on_failure)]);
            // More often than the breaker would allow.
            for _ in 0..20 {
                let outcome = ask(&mut pipeline, event, &mut context()).await;
                assert_eq!(outcome.verdict, expected, "{event} {on_failure:?}");
            }
            let log = format!("fake={event}:host-failed");
            assert!(pipeline.verdict_log().starts_with(&log));
        }
    }
}
