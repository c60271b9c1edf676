//! Traps at the recipient `trap`.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Trap;

impl OnRcpt for Trap {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        assert_ne!(
            recipient.local_part(),
            "trap",
            "this plugin was asked to trap"
        );
        RcptAnswer::next()
    }
}

postgate_plugin::export!(Trap: OnRcpt);
