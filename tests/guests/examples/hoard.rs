//! Takes all the memory that it can get at the recipient `hoard`.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Hoard {
    blocks: Vec<Vec<u8>>,
}

impl OnRcpt for Hoard {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        while recipient.local_part() == "hoard" {
            self.blocks.push(std::hint::black_box(vec![1; 1 << 20]));
        }
        RcptAnswer::next()
    }
}

postgate_plugin::export!(Hoard: OnRcpt);
