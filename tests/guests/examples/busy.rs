//! Refuses every recipient, after as much work as the local part asks for: `busy-3` computes three million
//! steps.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Busy;

impl OnRcpt for Busy {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let millions = recipient.local_part().strip_prefix("busy-");
        let millions: u64 = millions.and_then(|number| number.parse().ok()).unwrap_or(0);
        let mut state = 1_u64;
        for step in 0..millions * 1_000_000 {
            state = std::hint::black_box(state.rotate_left(7) ^ step);
        }
        RcptAnswer::refuse(Refusal::no_such_mailbox())
    }
}

postgate_plugin::export!(Busy: OnRcpt);
