//! Refuses mail for a closed mailbox, and marks messages that mention a phrase.

use postgate_plugin::prelude::*;
use serde::Deserialize;

/// What stands below `[config]` in caution.toml.
#[derive(Deserialize)]
struct Config {
    closed: String,
    phrase: String,
}

struct Caution {
    closed: Address,
    phrase: String,
}

impl Plugin for Caution {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        if config.phrase.is_empty() {
            return Err("config.phrase is empty".to_owned());
        }
        Ok(Self {
            closed: Address::new(config.closed),
            phrase: config.phrase.to_lowercase(),
        })
    }
}

impl OnRcpt for Caution {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        match recipient.address().equals_ignore_case(&self.closed) {
            true => RcptAnswer::refuse(Refusal::new(550, "5.2.1", "this mailbox is closed")),
            false => RcptAnswer::next(),
        }
    }
}

impl OnMessage for Caution {
    fn on_message(&mut self) -> MessageAnswer {
        let text = message::plain_part().and_then(|part| message::read_text(part, 0, READ_AT_MOST));
        let text = text.unwrap_or_default().to_lowercase();
        match text.contains(&self.phrase) {
            true => MessageAnswer::next()
                .set_header("X-Caution", format!("mentions \"{}\"", self.phrase)),
            // Only this plugin says so: what a sender wrote there is not believed.
            false => MessageAnswer::next().remove_headers("X-Caution"),
        }
    }
}

const READ_AT_MOST: u32 = 65_536;

postgate_plugin::export!(Caution: OnRcpt, OnMessage);
