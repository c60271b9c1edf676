//! Checks from inside that events come in the documented order, that facts agree with each other and
//! with what the events say, and that edits do what they are documented to do.
//!
//! Whatever does not hold is a line in the log that begins with `violation`; the last line of a session
//! counts them. With `dump = true` every fact is logged at every event, and with `one-name = true`
//! the HELO name, the user, the sender and the recipients must all begin with the same word.

#[path = "conformance/checks.rs"]
mod checks;
#[path = "conformance/facts.rs"]
mod facts;

use postgate_plugin::prelude::*;
use postgate_plugin::{Fate, store};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Config {
    #[serde(default)]
    dump: bool,
    #[serde(default)]
    one_name: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    New,
    Connected,
    Known,
    Mail,
    Data,
    Headers,
    Message,
    Over,
}

struct Conformance {
    config: Config,
    place: Place,
    session: String,
    transactions: Vec<String>,
    sender: String,
    recipients: Vec<String>,
    body: Vec<u8>,
    checks: u32,
    violations: u32,
}

impl Plugin for Conformance {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self {
            config,
            place: Place::New,
            session: String::new(),
            transactions: Vec::new(),
            sender: String::new(),
            recipients: Vec::new(),
            body: Vec::new(),
            checks: 0,
            violations: 0,
        })
    }
}

const BANNER: &str = "banner of conformance";
const GREETING: &str = "greeting of conformance";

impl OnProxy for Conformance {
    fn on_proxy(&mut self) -> ProxyAnswer {
        self.enter("proxy", &[Place::New], Place::New);
        self.check("proxy", session::proxy().is_some(), "there is no proxy");
        ProxyAnswer::next()
    }
}

impl OnConnect for Conformance {
    fn on_connect(&mut self) -> ConnectAnswer {
        self.enter("connect", &[Place::New], Place::Connected);
        let is_fresh = store::get("kept").is_none();
        self.check(
            "connect",
            is_fresh,
            "the store has something of another session",
        );
        let is_kept = store::set("kept", b"since connect").is_ok();
        self.check("connect", is_kept, "the store is full");
        ConnectAnswer::next()
            .set_banner(BANNER)
            .set_greeting(GREETING)
            .tag("kept", "since connect")
            .add_mail_parameter("XMAIL")
            .add_rcpt_parameter("XRCPT")
            .add_verb("XCONFORM")
    }
}

impl OnHelo for Conformance {
    fn on_helo(&mut self, name: &str) -> HeloAnswer {
        self.enter("helo", &[Place::Connected, Place::Known], Place::Known);
        self.equal("helo", "helo-name", session::helo_name().as_str(), name);
        HeloAnswer::next()
    }
}

impl OnStarttls for Conformance {
    fn on_starttls(&mut self) -> StarttlsAnswer {
        let from = [Place::Connected, Place::Known, Place::Mail];
        let place = self.place;
        self.enter("starttls", &from, place);
        self.check("starttls", !session::encrypted(), "is encrypted already");
        StarttlsAnswer::next()
    }
}

impl OnAuthKeys for Conformance {
    fn on_auth_keys(&mut self, identity: &str) -> Option<ScramKeys> {
        self.enter("auth-keys", &[Place::Known], Place::Known);
        self.check("auth-keys", !identity.is_empty(), "there is no identity");
        None
    }
}

impl OnAuth for Conformance {
    /// The password is `secret`.
    fn on_auth(&mut self, credentials: &Credentials) -> AuthAnswer {
        self.enter("auth", &[Place::Known], Place::Known);
        let nobody = session::authenticated_as().is_none();
        self.check("auth", nobody, "has authenticated already");
        match credentials.password() {
            Some("secret") => AuthAnswer::accept(&credentials.identity),
            _ => AuthAnswer::next(),
        }
    }
}

impl OnMail for Conformance {
    /// `rewrite@…` becomes `rewritten@…`.
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer {
        self.enter("mail", &[Place::Known], Place::Mail);
        self.equal("mail", "sender", session::sender(), Some(sender.clone()));
        self.check(
            "mail",
            session::recipients().is_empty(),
            "there are recipients",
        );
        let Some(domain) = sender.as_str().strip_prefix("rewrite@") else {
            self.begin_transaction(sender.as_str());
            return MailAnswer::next();
        };
        let sender = format!("rewritten@{domain}");
        self.begin_transaction(&sender);
        MailAnswer::next().rewrite_sender(sender)
    }
}

impl OnRcpt for Conformance {
    /// `move@…` becomes `moved@…`.
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        self.enter("rcpt", &[Place::Mail], Place::Mail);
        let sender = session::sender().map(|sender| sender.as_str().to_owned());
        self.equal("rcpt", "sender", sender, Some(self.sender.clone()));
        let recipients: Vec<_> = session::recipients()
            .iter()
            .map(ToString::to_string)
            .collect();
        self.equal("rcpt", "recipients", recipients, self.recipients.clone());
        match recipient.local_part() {
            "move" => {
                let moved = format!("moved@{}", recipient.domain());
                self.recipients.push(moved.clone());
                RcptAnswer::next().rewrite_recipient(moved)
            }
            _ => {
                self.recipients.push(recipient.to_string());
                RcptAnswer::next()
            }
        }
    }
}

impl OnData for Conformance {
    fn on_data(&mut self) -> DataAnswer {
        self.enter("data", &[Place::Mail], Place::Data);
        let recipients: Vec<_> = session::recipients()
            .iter()
            .map(ToString::to_string)
            .collect();
        self.equal("data", "recipients", recipients, self.recipients.clone());
        DataAnswer::next().prepend_header("X-At-Data", "yes")
    }
}

impl OnHeaders for Conformance {
    fn on_headers(&mut self) -> HeadersAnswer {
        // BDAT has no data event.
        let had_data = self.place == Place::Data;
        self.enter("headers", &[Place::Mail, Place::Data], Place::Headers);
        self.check(
            "headers",
            message::headers_complete(),
            "the header block is not there",
        );
        let first = message::header_at(0).map(|field| field.name);
        let expected = had_data.then(|| "X-At-Data".to_owned());
        self.check(
            "headers",
            !had_data || first == expected,
            "the field of data is not at the top",
        );
        HeadersAnswer::next()
            .append_header("X-Last", "appended")
            .set_header("X-Set", "once")
            .remove_headers("X-Gone")
            .replace_header("Subject", 0, "replaced")
    }
}

impl OnBodyChunk for Conformance {
    fn on_body_chunk(&mut self, chunk: &BodyChunk) -> BodyChunkAnswer {
        self.enter("body-chunk", &[Place::Headers], Place::Headers);
        let expected = self.body.len() as u32;
        self.equal("body-chunk", "offset", chunk.offset, expected);
        let is_bounded = (1..=65_536).contains(&chunk.data.len());
        self.check(
            "body-chunk",
            is_bounded,
            "a piece has no octet, or too many",
        );
        self.body.extend_from_slice(&chunk.data);
        BodyChunkAnswer::next()
    }
}

impl OnMessage for Conformance {
    fn on_message(&mut self) -> MessageAnswer {
        self.enter("message", &[Place::Headers], Place::Message);
        let text = |name| message::header_text(name);
        let last = message::header_count()
            .checked_sub(1)
            .and_then(message::header_at);
        let named: Vec<_> = message::headers().map(|field| field.name).collect();
        self.check(
            "message",
            named.contains(&"X-Last".to_owned()),
            "what was appended is gone",
        );
        self.equal("message", "X-Last", text("x-last"), Some("appended".into()));
        self.equal("message", "X-Set", text("x-set"), Some("once".into()));
        let count = message::headers_named("X-SET").len();
        self.equal("message", "the number of X-Set", count, 1);
        self.equal("message", "X-Gone", text("x-gone"), None);
        self.check("message", last.is_some(), "there is no last field");
        if text("subject").is_some() {
            self.equal(
                "message",
                "Subject",
                text("SUBJECT"),
                Some("replaced".into()),
            );
        }
        let body = message::read_body(0, message::MAX_READ);
        let seen = &self.body[..self.body.len().min(message::MAX_READ as usize)];
        let is_same = body == seen && message::body_size() as usize == self.body.len();
        self.check(
            "message",
            is_same,
            "the pieces of the body are not the body",
        );
        self.check("message", message::part_count() > 0, "there is no part");
        if let Some(plain) = message::plain_part() {
            let part = message::part_at(plain).map(|part| part.content_type);
            self.equal("message", "plain-part", part, Some("text/plain".into()));
            let is_text = message::read_text(plain, 0, 10).is_some();
            self.check("message", is_text, "the plain part is no text");
        }
        let id = format!("conform-{}", session::transaction_id());
        MessageAnswer::next().set_id(id)
    }
}

impl OnOutcome for Conformance {
    fn on_outcome(&mut self, outcome: &Outcome) {
        self.enter("outcome", &[Place::Message], Place::Message);
        self.place = Place::Known;
        self.equal("outcome", "id", outcome.id.clone(), message::id());
        let id = format!("conform-{}", session::transaction_id());
        self.equal("outcome", "message id", outcome.id.clone(), id);
        let is_refused = matches!(outcome.fate, Fate::Refused | Fate::DeliveredInPart);
        self.equal("outcome", "refused", outcome.reply.code >= 400, is_refused);
    }
}

impl OnReset for Conformance {
    fn on_reset(&mut self, cause: Cause) {
        let from = [Place::Mail, Place::Data, Place::Headers];
        self.enter("reset", &from, Place::Known);
        log::info(format!("reset {cause:?}"));
    }
}

impl OnVrfy for Conformance {
    fn on_vrfy(&mut self, _user: &str) -> QueryAnswer {
        let place = self.place;
        self.enter(
            "vrfy",
            &[Place::Connected, Place::Known, Place::Mail],
            place,
        );
        QueryAnswer::next()
    }
}

impl OnExpn for Conformance {
    fn on_expn(&mut self, _name: &str) -> QueryAnswer {
        let place = self.place;
        self.enter(
            "expn",
            &[Place::Connected, Place::Known, Place::Mail],
            place,
        );
        QueryAnswer::next()
    }
}

impl OnHelp for Conformance {
    fn on_help(&mut self, _topic: &str) -> QueryAnswer {
        let place = self.place;
        self.enter(
            "help",
            &[Place::Connected, Place::Known, Place::Mail],
            place,
        );
        QueryAnswer::next()
    }
}

impl OnCommand for Conformance {
    fn on_command(&mut self, command: &Command) -> QueryAnswer {
        let line = String::from_utf8_lossy(&command.line).into_owned();
        let words = format!("{} {}", command.verb, command.argument);
        self.equal("command", "line", line.trim_end(), words.trim_end());
        match command.verb.as_str() {
            "XCONFORM" => QueryAnswer::reply(250, "2.0.0", ["conforming"]),
            _ => QueryAnswer::next(),
        }
    }
}

impl OnDisconnect for Conformance {
    fn on_disconnect(&mut self, summary: &Summary) {
        let place = self.place;
        self.enter("disconnect", &[place], Place::Over);
        self.check("disconnect", place != Place::Over, "comes twice");
        self.check(
            "disconnect",
            session::sender().is_none(),
            "there is a transaction",
        );
        self.equal(
            "disconnect",
            "errors",
            summary.errors,
            session::error_count(),
        );
        let (checks, violations) = (self.checks, self.violations);
        log::info(format!(
            "disconnect checks={checks} violations={violations}"
        ));
    }
}

postgate_plugin::export!(
    Conformance: OnProxy, OnConnect, OnHelo, OnStarttls, OnAuthKeys, OnAuth, OnMail, OnRcpt, OnData,
        OnHeaders, OnBodyChunk, OnMessage, OnOutcome, OnReset, OnVrfy, OnExpn, OnHelp, OnCommand,
        OnDisconnect
);
