//! Counts its calls in a static, and says the count: it begins at 1 in every session.

use std::sync::atomic::{AtomicU32, Ordering};

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Counter;

impl OnRcpt for Counter {
    fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
        RcptAnswer::refuse(Refusal::new(550, "5.7.1", format!("call {calls}")))
    }
}

postgate_plugin::export!(Counter: OnRcpt);

static CALLS: AtomicU32 = AtomicU32::new(0);
