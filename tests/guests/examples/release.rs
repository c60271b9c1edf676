//! Refuses the recipient that its configuration names, and says of which release its file and its
//! configuration are. A test makes files of other releases by writing other digits into the built file.

use postgate_plugin::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    refuses: String,
    release: u32,
}

struct Release(Config);

impl Plugin for Release {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }
}

impl OnRcpt for Release {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let Config { refuses, release } = &self.0;
        if recipient.local_part() != refuses {
            return RcptAnswer::next();
        }
        let text = format!("file of release 000000, sidecar of release {release:06}");
        RcptAnswer::refuse(Refusal::new(550, "5.7.1", text))
    }
}

postgate_plugin::export!(Release: OnRcpt);
