//! Does not start.

use postgate_plugin::NoConfig;
use postgate_plugin::prelude::*;

struct InitFails;

impl Plugin for InitFails {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Err("this plugin never starts".into())
    }
}

impl OnRcpt for InitFails {
    fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
        RcptAnswer::next()
    }
}

postgate_plugin::export!(InitFails: OnRcpt);
