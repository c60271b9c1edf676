//! Starts, and then fails its own test.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct SelfTestFails;

impl OnSelfTest for SelfTestFails {
    fn on_self_test(&mut self) -> Result<(), String> {
        Err("this plugin does not work".into())
    }
}

impl OnRcpt for SelfTestFails {
    fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
        RcptAnswer::next()
    }
}

postgate_plugin::export!(SelfTestFails: OnSelfTest, OnRcpt);
