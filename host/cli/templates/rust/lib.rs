//! Refuses recipients that are on a list, and adds a header field to the mail of all others.

use postgate_plugin::prelude::*;
use serde::Deserialize;

/// The `[config]` table of `new-plugin.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    refused: Vec<String>,
}

/// One value serves one SMTP session, so its fields are the state of the session.
struct NewPlugin {
    config: Config,
}

impl Plugin for NewPlugin {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self { config })
    }
}

impl OnRcpt for NewPlugin {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let is_refused = |text: &String| Address::new(text).equals_ignore_case(recipient.address());
        match self.config.refused.iter().any(is_refused) {
            true => RcptAnswer::refuse(Refusal::new(550, "5.7.1", "this recipient takes no mail")),
            false => RcptAnswer::next(),
        }
    }
}

impl OnHeaders for NewPlugin {
    fn on_headers(&mut self) -> HeadersAnswer {
        HeadersAnswer::next().append_header("X-Checked-By", "new-plugin")
    }
}

postgate_plugin::export!(NewPlugin: OnRcpt, OnHeaders);
