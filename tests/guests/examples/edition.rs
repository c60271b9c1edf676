//! Refuses every recipient and says which edition of it does. A test makes other editions by writing
//! other digits into the built file.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Edition;

impl OnRcpt for Edition {
    fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
        RcptAnswer::refuse(Refusal::new(550, "5.7.1", "this is edition 000000"))
    }
}

postgate_plugin::export!(Edition: OnRcpt);
