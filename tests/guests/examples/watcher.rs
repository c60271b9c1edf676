//! Watches clients as filters do: closes sessions with many errors, holds some up, demands AUTH where the
//! configuration says `auth-first = true`, and looks at messages while they come.

use postgate_plugin::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Config {
    #[serde(default)]
    auth_first: bool,
}

struct Watcher {
    auth_first: bool,
}

impl Plugin for Watcher {
    type Config = Config;

    fn new(Config { auth_first }: Config) -> Result<Self, String> {
        Ok(Self { auth_first })
    }
}

/// More of a body than this is too much, in octets.
const MAX_BODY: u32 = 100_000;

impl OnCommand for Watcher {
    fn on_command(&mut self, command: &Command) -> QueryAnswer {
        if session::errors().len() >= 5 {
            let refusal = Refusal::new(421, "4.7.0", "too many mistakes");
            return QueryAnswer::disconnect(refusal);
        }
        let is_mail = command.verb.eq_ignore_ascii_case("MAIL");
        match self.auth_first && is_mail && session::authenticated_as().is_none() {
            true => QueryAnswer::reply(530, "5.7.0", ["authenticate first"]),
            false => QueryAnswer::next(),
        }
    }
}

impl OnMail for Watcher {
    /// The sender `slow@…` waits for as long as the host lets it.
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer {
        if !sender.as_str().starts_with("slow@") {
            return MailAnswer::next();
        }
        log::info("held up");
        MailAnswer::next().delay(u32::MAX)
    }
}

impl OnHeaders for Watcher {
    fn on_headers(&mut self) -> HeadersAnswer {
        match message::header_text("subject").as_deref() {
            Some("unwanted") => {
                HeadersAnswer::refuse(Refusal::new(550, "5.7.1", "not this subject"))
            }
            Some("go away") => {
                HeadersAnswer::disconnect(Refusal::new(554, "5.7.1", "not this subject"))
            }
            _ => HeadersAnswer::next().tag("class", "bulk"),
        }
    }
}

impl OnBodyChunk for Watcher {
    /// The subject `at once` has the session closed, and `enough` means to see no more.
    fn on_body_chunk(&mut self, chunk: &BodyChunk) -> BodyChunkAnswer {
        log::info(format!("chunk {}", chunk.offset));
        let refusal = Refusal::new(552, "5.3.4", "the body is too large");
        let is_too_large = chunk.offset + chunk.data.len() as u32 > MAX_BODY;
        match message::header_text("subject").as_deref() {
            Some("enough") => BodyChunkAnswer::accept(),
            Some("at once") if is_too_large => BodyChunkAnswer::disconnect(refusal),
            _ if is_too_large => BodyChunkAnswer::refuse(refusal),
            _ => BodyChunkAnswer::next(),
        }
    }
}

postgate_plugin::export!(Watcher: OnCommand, OnMail, OnHeaders, OnBodyChunk);
