//! What a plugin was asked, as data; and the way back.

use std::sync::Arc;

use postgate_contract::Event;
use postgate_proto::auth::{Credentials, Mechanism, Proof};
use postgate_proto::envelope::Recipient;
use postgate_proto::reply::{Reply, ReplyParser};
use postgate_proto::session::Counters;
use serde::{Deserialize, Serialize};

use super::mail::{Envelope, NamedRecipient, envelope, named, recipient};
use super::names::{CAUSES, ENDINGS, FATES, HELOS, find, find_name};
use crate::context::{Introduction, Transaction};
use crate::question::{
    BodyChunk, CommandLine, MessageOutcome, Question, ResetCause, SessionSummary,
};
use crate::recording::octets::Octets;

/// The facts of a question. Events whose facts all stand in the session have none of their own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum RecordedQuestion {
    /// Who a client says it is, without what proves it.
    Auth {
        mechanism: String,
        identity: String,
        act_as: String,
    },
    BodyChunk {
        offset: u32,
        octets: Octets,
    },
    Command {
        verb: String,
        argument: String,
        line: Octets,
        known: bool,
    },
    Disconnect {
        ending: String,
        commands: u32,
        errors: u32,
        messages: u32,
    },
    /// HELO or EHLO, and the name.
    Helo(String, String),
    Mail(Envelope),
    Nothing,
    Outcome {
        fate: String,
        reply: Vec<String>,
        id: String,
    },
    Rcpt(NamedRecipient),
    Reset(String),
    /// A user, a list, a topic or an identity.
    Subject(String),
}

impl RecordedQuestion {
    pub(crate) fn of(question: &Question<'_>) -> Self {
        match question {
            Question::Auth(credentials) => Self::Auth {
                mechanism: credentials.mechanism.name().to_owned(),
                identity: credentials.identity.clone(),
                act_as: credentials.act_as.clone(),
            },
            Question::BodyChunk(chunk) => Self::BodyChunk {
                offset: chunk.offset,
                octets: Octets(chunk.octets.clone()),
            },
            Question::Command(command) => Self::Command {
                verb: command.verb.to_string(),
                argument: command.argument.to_string(),
                line: Octets(command.line.to_vec()),
                known: command.known,
            },
            Question::Disconnect(summary) => Self::Disconnect {
                ending: find_name(&ENDINGS, &summary.ending).to_owned(),
                commands: summary.counters.commands,
                errors: summary.counters.errors,
                messages: summary.counters.messages,
            },
            Question::Helo(client) => {
                let kind = find_name(&HELOS, &client.kind);
                Self::Helo(kind.to_owned(), client.name.to_string())
            }
            Question::Mail(transaction) => Self::Mail(envelope(transaction)),
            Question::Outcome(outcome) => Self::Outcome {
                fate: find_name(&FATES, &outcome.fate).to_owned(),
                reply: lines(&outcome.reply),
                id: outcome.id.clone(),
            },
            Question::Rcpt(recipient) => Self::Rcpt(named(recipient)),
            Question::Reset(cause) => Self::Reset(find_name(&CAUSES, cause).to_owned()),
            Question::AuthKeys(subject)
            | Question::Expn(subject)
            | Question::Help(subject)
            | Question::Vrfy(subject) => Self::Subject((*subject).to_owned()),
            Question::Connect
            | Question::Data
            | Question::Headers
            | Question::Message
            | Question::Proxy
            | Question::StartTls => Self::Nothing,
        }
    }

    /// The facts again, for a question about an event.
    ///
    /// # Errors
    ///
    /// Fails with the reason if the recorded facts are not those of the event, or cannot be.
    pub(crate) fn facts(&self, event: Event) -> Result<QuestionFacts, String> {
        use QuestionFacts as Facts;
        Ok(match (event, self) {
            (Event::Proxy, Self::Nothing) => Facts::Proxy,
            (Event::Connect, Self::Nothing) => Facts::Connect,
            (Event::StartTls, Self::Nothing) => Facts::StartTls,
            (Event::Data, Self::Nothing) => Facts::Data,
            (Event::Headers, Self::Nothing) => Facts::Headers,
            (Event::Message, Self::Nothing) => Facts::Message,
            (Event::AuthKeys, Self::Subject(subject)) => Facts::AuthKeys(subject.clone()),
            (Event::Expn, Self::Subject(subject)) => Facts::Expn(subject.clone()),
            (Event::Help, Self::Subject(subject)) => Facts::Help(subject.clone()),
            (Event::Vrfy, Self::Subject(subject)) => Facts::Vrfy(subject.clone()),
            (Event::Auth, Self::Auth { .. }) => Facts::Auth(self.credentials()?),
            (Event::Helo, Self::Helo(kind, name)) => Facts::Helo(introduction(kind, name)?),
            (Event::Mail, Self::Mail(envelope)) => Facts::Mail(Arc::new(envelope.transaction()?)),
            (Event::Rcpt, Self::Rcpt(named)) => Facts::Rcpt(recipient(named)?),
            (Event::BodyChunk, Self::BodyChunk { offset, octets }) => Facts::BodyChunk(BodyChunk {
                offset: *offset,
                octets: octets.0.clone(),
            }),
            (Event::Command, Self::Command { .. }) => Facts::Command(self.command()?),
            (Event::Outcome, Self::Outcome { fate, reply, id }) => Facts::Outcome(MessageOutcome {
                fate: *find(&FATES, fate)?,
                reply: reply_of(reply)?,
                id: id.clone(),
            }),
            (Event::Reset, Self::Reset(cause)) => Facts::Reset(*find(&CAUSES, cause)?),
            (Event::Disconnect, Self::Disconnect { .. }) => Facts::Disconnect(self.summary()?),
            (event, _) => return Err(format!("{event}, which has other facts than were recorded")),
        })
    }

    fn credentials(&self) -> Result<Credentials, String> {
        let Self::Auth {
            mechanism,
            identity,
            act_as,
        } = self
        else {
            return Err(OTHER_FACTS.to_owned());
        };
        Ok(Credentials {
            mechanism: Mechanism::parse(mechanism)
                .ok_or("a mechanism that this gateway does not know")?,
            identity: identity.clone(),
            act_as: act_as.clone(),
            proof: Proof::Verified,
        })
    }

    fn command(&self) -> Result<CommandLine, String> {
        let Self::Command {
            verb,
            argument,
            line,
            known,
        } = self
        else {
            return Err(OTHER_FACTS.to_owned());
        };
        Ok(CommandLine {
            verb: verb.as_str().into(),
            argument: argument.as_str().into(),
            line: line.0.clone().into(),
            known: *known,
        })
    }

    fn summary(&self) -> Result<SessionSummary, String> {
        let Self::Disconnect {
            ending,
            commands,
            errors,
            messages,
        } = self
        else {
            return Err(OTHER_FACTS.to_owned());
        };
        Ok(SessionSummary {
            ending: *find(&ENDINGS, ending)?,
            counters: Counters {
                commands: *commands,
                errors: *errors,
                messages: *messages,
            },
        })
    }
}

const OTHER_FACTS: &str = "other facts than those of its event";

/// The facts of a question, which [`Question`] borrows.
#[derive(Debug)]
pub(crate) enum QuestionFacts {
    Proxy,
    Connect,
    Helo(Introduction),
    StartTls,
    AuthKeys(String),
    Auth(Credentials),
    Mail(Arc<Transaction>),
    Rcpt(Recipient),
    Data,
    Headers,
    BodyChunk(BodyChunk),
    Message,
    Outcome(MessageOutcome),
    Reset(ResetCause),
    Vrfy(String),
    Expn(String),
    Help(String),
    Command(CommandLine),
    Disconnect(SessionSummary),
}

impl QuestionFacts {
    pub(crate) fn question(&self) -> Question<'_> {
        match self {
            Self::Proxy => Question::Proxy,
            Self::Connect => Question::Connect,
            Self::Helo(introduction) => Question::Helo(introduction),
            Self::StartTls => Question::StartTls,
            Self::AuthKeys(identity) => Question::AuthKeys(identity),
            Self::Auth(credentials) => Question::Auth(credentials),
            Self::Mail(transaction) => Question::Mail(transaction),
            Self::Rcpt(recipient) => Question::Rcpt(recipient),
            Self::Data => Question::Data,
            Self::Headers => Question::Headers,
            Self::BodyChunk(chunk) => Question::BodyChunk(chunk),
            Self::Message => Question::Message,
            Self::Outcome(outcome) => Question::Outcome(outcome),
            Self::Reset(cause) => Question::Reset(*cause),
            Self::Vrfy(user) => Question::Vrfy(user),
            Self::Expn(list) => Question::Expn(list),
            Self::Help(topic) => Question::Help(topic),
            Self::Command(line) => Question::Command(line),
            Self::Disconnect(summary) => Question::Disconnect(*summary),
        }
    }
}

pub(super) fn introduction(kind: &str, name: &str) -> Result<Introduction, String> {
    Ok(Introduction {
        kind: *find(&HELOS, kind)?,
        name: name.into(),
    })
}

fn lines(reply: &Reply) -> Vec<String> {
    let mut octets = Vec::new();
    reply.write(&mut octets);
    let text = String::from_utf8_lossy(&octets);
    text.lines().map(str::to_owned).collect()
}

fn reply_of(lines: &[String]) -> Result<Reply, String> {
    let mut parser = ReplyParser::default();
    for line in lines {
        match parser.line(line.as_bytes()) {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("half a reply".to_owned())
}
