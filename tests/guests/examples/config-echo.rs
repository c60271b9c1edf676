//! Refuses every recipient with a text out of its configuration.

use postgate_plugin::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    text: String,
}

struct ConfigEcho {
    text: String,
}

impl Plugin for ConfigEcho {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self { text: config.text })
    }
}

impl OnRcpt for ConfigEcho {
    fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
        RcptAnswer::refuse(Refusal::new(550, "5.7.1", &self.text))
    }
}

postgate_plugin::export!(ConfigEcho: OnRcpt);
