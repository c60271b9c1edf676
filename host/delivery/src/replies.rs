//! Replies of the gateway itself, for deliveries that no server answers.

use postgate_proto::reply::{Acceptance, Enhanced, Reply};

/// The reply to a message that all of its recipients have from an earlier attempt.
pub fn delivered_before() -> Acceptance {
    accepted(Enhanced::new(2, 0, 0), "Delivered before")
}

/// The reply to a message that was stored in a Maildir.
pub(crate) fn message_stored() -> Acceptance {
    accepted(Enhanced::new(2, 0, 0), "Message stored")
}

/// The reply to a recipient whose mail goes to a Maildir.
pub(crate) fn recipient_ok() -> Acceptance {
    accepted(Enhanced::new(2, 1, 5), "Recipient ok")
}

fn accepted(enhanced: Enhanced, text: &'static str) -> Acceptance {
    let reply = Reply::fixed(250, enhanced, text);
    // `Acceptance::new` fails only if the code does not begin with 2.
    Acceptance::new(reply).expect("250 accepts")
}
