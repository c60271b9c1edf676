//! Never comes to the end of its own test.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct EndlessSelfTest;

impl OnSelfTest for EndlessSelfTest {
    fn on_self_test(&mut self) -> Result<(), String> {
        let mut turns = 0_u32;
        loop {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }
}

impl OnRcpt for EndlessSelfTest {
    fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
        RcptAnswer::next()
    }
}

postgate_plugin::export!(EndlessSelfTest: OnSelfTest, OnRcpt);
