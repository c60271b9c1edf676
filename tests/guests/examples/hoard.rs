//! Takes all the memory that it can get at the recipient `hoard`, and 16 MiB at `keep-16`, until it ends.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Hoard {
    blocks: Vec<Vec<u8>>,
}

impl OnRcpt for Hoard {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let kept = recipient.local_part().strip_prefix("keep-");
        let kept: usize = kept.and_then(|number| number.parse().ok()).unwrap_or(0);
        for _ in 0..kept {
            self.blocks.push(std::hint::black_box(vec![1; 1 << 20]));
        }
        while recipient.local_part() == "hoard" {
            self.blocks.push(std::hint::black_box(vec![1; 1 << 20]));
        }
        RcptAnswer::next()
    }
}

postgate_plugin::export!(Hoard: OnRcpt);
