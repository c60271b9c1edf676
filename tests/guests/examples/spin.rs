//! Never answers for the recipient `spin`.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Spin;

impl OnRcpt for Spin {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let mut turns = 0_u32;
        while recipient.local_part() == "spin" {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
        RcptAnswer::next()
    }
}

postgate_plugin::export!(Spin: OnRcpt);
