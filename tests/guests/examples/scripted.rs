//! Answers what its configuration says: each answer once, to the first question that begins as it does.
//! The tests write the configuration from the `P:` lines of a dialog.
//!
//! An answer that does not exist at an event is a trap, and so a failure that the test sees.

#[path = "scripted/entry.rs"]
mod entry;

use postgate_plugin::prelude::*;
use postgate_plugin::{
    Answer, AuthVerdict, MessageVerdict, QueryVerdict, RcptVerdict, SessionEdit, Verdict,
};
use serde::Deserialize;

use entry::{Entry, Word};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    answers: Vec<Entry>,
}

struct Scripted {
    answers: Vec<Entry>,
}

impl Plugin for Scripted {
    type Config = Config;

    fn new(Config { answers }: Config) -> Result<Self, String> {
        Ok(Self { answers })
    }
}

impl Scripted {
    /// Takes the first answer whose question is the beginning of this one.
    fn take(&mut self, question: &str) -> Option<Entry> {
        let fits = |entry: &Entry| {
            let rest = question.strip_prefix(&entry.question);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let at = self.answers.iter().position(fits)?;
        Some(self.answers.remove(at))
    }

    /// The answer at an event whose edits are in `edit`.
    fn step<E>(
        &mut self,
        question: &str,
        edit: impl Fn(Answer<Verdict, E>, Entry) -> Answer<Verdict, E>,
    ) -> Answer<Verdict, E> {
        let Some(entry) = self.take(question) else {
            return Answer::next();
        };
        match entry.word {
            Word::Disconnect => Answer::disconnect(entry.refusal()),
            Word::Edit => edit(Answer::next(), entry),
            Word::Proceed => Answer::next(),
            Word::Refuse => Answer::refuse(entry.refusal()),
            _ => entry.is_no_answer(),
        }
    }

    fn query(&mut self, question: &str) -> QueryAnswer {
        let Some(entry) = self.take(question) else {
            return QueryAnswer::next();
        };
        match entry.word {
            Word::Accept | Word::Refuse => QueryVerdict::Reply(entry.reply()).into(),
            Word::Disconnect => QueryAnswer::disconnect(entry.refusal()),
            Word::Edit => session_edit(QueryAnswer::next(), &entry),
            Word::Proceed => QueryAnswer::next(),
            _ => entry.is_no_answer(),
        }
    }
}

impl OnProxy for Scripted {
    fn on_proxy(&mut self) -> ProxyAnswer {
        self.step("proxy", |answer: ProxyAnswer, entry| {
            match entry.name.as_str() {
                "set-client-ip" => answer.set_client_ip(entry.parsed::<std::net::IpAddr>()),
                "set-client-host" => answer.set_client_host(entry.value),
                _ => session_edit(answer, &entry),
            }
        })
    }
}

impl OnConnect for Scripted {
    fn on_connect(&mut self) -> ConnectAnswer {
        self.step("connect", |answer: ConnectAnswer, entry| {
            match entry.name.as_str() {
                "add-ehlo-keyword" => answer.add_ehlo_keyword(entry.value),
                "add-mail-parameter" => answer.add_mail_parameter(entry.value),
                "add-rcpt-parameter" => answer.add_rcpt_parameter(entry.value),
                "add-verb" => answer.add_verb(entry.value),
                "set-banner" => answer.set_banner(entry.value),
                "set-greeting" => answer.set_greeting(entry.value),
                _ => session_edit(answer, &entry),
            }
        })
    }
}

impl OnHelo for Scripted {
    fn on_helo(&mut self, name: &str) -> HeloAnswer {
        let verb = match session::helo() {
            session::HeloKind::Helo => "HELO",
            _ => "EHLO",
        };
        let question = format!("helo {verb} {name}");
        self.step(&question, |answer: HeloAnswer, entry| {
            match entry.name.as_str() {
                "set-greeting" => answer.set_greeting(entry.value),
                "limit-auth-mechanisms" => {
                    answer.limit_auth_mechanisms(entry.value.split_whitespace())
                }
                _ => session_edit(answer, &entry),
            }
        })
    }
}

impl OnStarttls for Scripted {
    fn on_starttls(&mut self) -> StarttlsAnswer {
        self.step("starttls", |answer, entry| session_edit(answer, &entry))
    }
}

impl OnAuthKeys for Scripted {
    fn on_auth_keys(&mut self, identity: &str) -> Option<ScramKeys> {
        let entry = self.take(&format!("auth-keys {identity}"))?;
        match entry.word {
            Word::Keys => Some(entry.keys()),
            Word::Proceed => None,
            _ => entry.is_no_answer(),
        }
    }
}

impl OnAuth for Scripted {
    fn on_auth(&mut self, credentials: &Credentials) -> AuthAnswer {
        let Credentials {
            mechanism,
            identity,
            act_as,
            ..
        } = credentials;
        let acts = match act_as.as_str() {
            "" => String::new(),
            role => format!(" as {role}"),
        };
        let question = format!("auth {mechanism} {identity}{acts}");
        let Some(entry) = self.take(question.trim_end()) else {
            return AuthAnswer::next();
        };
        match entry.word {
            Word::Authenticated => {
                // EXTERNAL sends no identity: the certificate has it.
                let names = [act_as.as_str(), identity, "certificate"];
                let name = names.into_iter().find(|name| !name.is_empty());
                AuthVerdict::Accept(name.unwrap_or_default().to_owned()).into()
            }
            Word::Disconnect => AuthAnswer::disconnect(entry.refusal()),
            Word::Edit => session_edit(AuthAnswer::next(), &entry),
            Word::Proceed => AuthAnswer::next(),
            Word::Refuse => AuthAnswer::refuse(entry.refusal()),
            _ => entry.is_no_answer(),
        }
    }
}

impl OnMail for Scripted {
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer {
        let question = format!("mail {sender}");
        self.step(&question, |answer: MailAnswer, entry| {
            match entry.name.as_str() {
                "rewrite-sender" => answer.rewrite_sender(entry.value),
                _ => session_edit(answer, &entry),
            }
        })
    }
}

impl OnRcpt for Scripted {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let Some(entry) = self.take(&format!("rcpt <{recipient}>")) else {
            return RcptAnswer::next();
        };
        match entry.word {
            Word::Defer => RcptVerdict::Defer(entry.refusal().into()).into(),
            Word::Disconnect => RcptAnswer::disconnect(entry.refusal()),
            Word::Edit if entry.name == "rewrite-recipient" => {
                RcptAnswer::next().rewrite_recipient(entry.value)
            }
            Word::Edit => session_edit(RcptAnswer::next(), &entry),
            Word::Proceed => RcptAnswer::next(),
            Word::Refuse => RcptAnswer::refuse(entry.refusal()),
            _ => entry.is_no_answer(),
        }
    }
}

impl OnData for Scripted {
    fn on_data(&mut self) -> DataAnswer {
        self.step("data", |answer: DataAnswer, entry| {
            match entry.name.as_str() {
                "prepend-header" => {
                    let (name, value) = entry.field();
                    answer.prepend_header(name, value)
                }
                _ => session_edit(answer, &entry),
            }
        })
    }
}

impl OnHeaders for Scripted {
    fn on_headers(&mut self) -> HeadersAnswer {
        self.step("headers", |answer: HeadersAnswer, entry| {
            let (name, value) = entry.field();
            match entry.name.as_str() {
                "append-header" => answer.append_header(name, value),
                "prepend-header" => answer.prepend_header(name, value),
                "remove-headers" => answer.remove_headers(name),
                "set-header" => answer.set_header(name, value),
                _ => session_edit(answer, &entry),
            }
        })
    }
}

impl OnBodyChunk for Scripted {
    fn on_body_chunk(&mut self, chunk: &BodyChunk) -> BodyChunkAnswer {
        let question = format!("body-chunk {}", chunk.offset);
        self.step(&question, |answer, entry| session_edit(answer, &entry))
    }
}

impl OnMessage for Scripted {
    fn on_message(&mut self) -> MessageAnswer {
        let Some(entry) = self.take("message") else {
            return MessageAnswer::next();
        };
        match entry.word {
            Word::Discard => MessageVerdict::Discard(entry.value).into(),
            Word::Disconnect => MessageAnswer::disconnect(entry.refusal()),
            Word::Edit => edit_message(entry),
            Word::Proceed => MessageAnswer::next(),
            Word::Quarantine => MessageVerdict::Quarantine(entry.value).into(),
            Word::Refuse => MessageAnswer::refuse(entry.refusal()),
            _ => entry.is_no_answer(),
        }
    }
}

fn edit_message(entry: Entry) -> MessageAnswer {
    let answer = MessageAnswer::next();
    let (name, value) = entry.field();
    match entry.name.as_str() {
        "add-recipient" => answer.add_recipient(entry.value),
        "append-header" => answer.append_header(name, value),
        "prepend-header" => answer.prepend_header(name, value),
        "remove-recipient" => answer.remove_recipient(entry.value),
        "rewrite-sender" => answer.rewrite_sender(entry.value),
        "set-id" => answer.set_id(entry.value),
        _ => session_edit(answer, &entry),
    }
}

impl OnVrfy for Scripted {
    fn on_vrfy(&mut self, user: &str) -> QueryAnswer {
        self.query(&format!("vrfy {user}"))
    }
}

impl OnExpn for Scripted {
    fn on_expn(&mut self, name: &str) -> QueryAnswer {
        self.query(&format!("expn {name}"))
    }
}

impl OnHelp for Scripted {
    fn on_help(&mut self, topic: &str) -> QueryAnswer {
        self.query(format!("help {topic}").trim_end())
    }
}

impl OnCommand for Scripted {
    fn on_command(&mut self, command: &Command) -> QueryAnswer {
        self.query(&format!("command {} {}", command.verb, command.argument))
    }
}

impl OnDisconnect for Scripted {
    /// Says what nobody has asked for.
    fn on_disconnect(&mut self, _: &Summary) {
        let unused = self.answers.iter().map(|entry| entry.question.as_str());
        log::info(format!("unused: {}", unused.collect::<Vec<_>>().join(", ")));
    }
}

/// The edits of every event.
fn session_edit<V, E: From<SessionEdit>>(answer: Answer<V, E>, entry: &Entry) -> Answer<V, E> {
    match entry.name.as_str() {
        "delay" => answer.delay(entry.parsed()),
        "tag" => {
            let (name, value) = entry.field();
            answer.tag(name, value)
        }
        _ => entry.is_no_answer(),
    }
}

postgate_plugin::export!(
    Scripted: OnProxy, OnConnect, OnHelo, OnStarttls, OnAuthKeys, OnAuth, OnMail, OnRcpt, OnData,
    OnHeaders, OnBodyChunk, OnMessage, OnVrfy, OnExpn, OnHelp, OnCommand, OnDisconnect
);
