//! Imports `store`, which the operator must grant, and counts the recipients in it.

use postgate_plugin::prelude::*;
use postgate_plugin::store;

#[derive(Default)]
struct Ungranted;

impl OnRcpt for Ungranted {
    fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
        let count = store::get("count").map_or(0, |bytes| bytes.len()) + 1;
        let text = match store::set("count", &vec![0; count]) {
            Ok(()) => format!("recipient {count} in the store"),
            Err(error) => error.to_string(),
        };
        RcptAnswer::refuse(Refusal::new(550, "5.7.1", text))
    }
}

postgate_plugin::export!(Ungranted: OnRcpt);
