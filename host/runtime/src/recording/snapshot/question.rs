//! The recorded question.

use std::sync::Arc;

use postgate_contract::Event;
use postgate_proto::address::Charset;
use postgate_proto::auth::{Credentials, Mechanism, Proof};
use postgate_proto::envelope::Recipient;
use postgate_proto::reply::{Reply, ReplyParser};
use postgate_proto::session::Counters;
use serde::{Deserialize, Serialize};

use super::error::SnapshotError;
use super::mail::{Envelope, RecordedRecipient, envelope, recipient, recorded_recipient};
use super::names::{ENDINGS, FATES, HELOS, RESET_CAUSES};
use crate::context::{Introduction, Transaction};
use crate::question::{
    BodyChunk, CommandLine, MessageOutcome, Question, ResetCause, SessionSummary,
};
use crate::recording::octets::Octets;

/// The facts of a question, other than those of the session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::recording) enum RecordedQuestion {
    /// The credentials without their proof.
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
    /// The command, `HELO` or `EHLO`, and the name.
    Helo(String, String),
    Mail(Envelope),
    /// The question has no other facts than those of the session.
    Nothing,
    Outcome {
        fate: String,
        reply: Vec<String>,
        id: String,
    },
    Rcpt(RecordedRecipient),
    Reset(String),
    /// The argument of VRFY, EXPN or HELP, or the user of SCRAM.
    Subject(String),
}

impl RecordedQuestion {
    /// Records the facts of a question.
    pub(in crate::recording) fn of(question: &Question<'_>) -> Self {
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
                ending: ENDINGS.name(summary.ending).to_owned(),
                commands: summary.counters.commands,
                errors: summary.counters.errors,
                messages: summary.counters.messages,
            },
            Question::Helo(client) => {
                let kind = HELOS.name(client.kind);
                Self::Helo(kind.to_owned(), client.name.to_string())
            }
            Question::Mail(transaction) => Self::Mail(envelope(transaction)),
            Question::Outcome(outcome) => Self::Outcome {
                fate: FATES.name(outcome.fate).to_owned(),
                reply: lines(&outcome.reply),
                id: outcome.id.clone(),
            },
            Question::Rcpt(recipient) => Self::Rcpt(recorded_recipient(recipient)),
            Question::Reset(cause) => Self::Reset(RESET_CAUSES.name(*cause).to_owned()),
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

    /// Restores the facts of a question about an event.
    ///
    /// # Errors
    ///
    /// Fails if the recorded facts are not those of the event, or not valid.
    pub(in crate::recording) fn facts(&self, event: Event) -> Result<QuestionFacts, SnapshotError> {
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
            (Event::Rcpt, Self::Rcpt(recorded)) => Facts::Rcpt(recipient(recorded)?),
            (Event::BodyChunk, Self::BodyChunk { offset, octets }) => Facts::BodyChunk(BodyChunk {
                offset: *offset,
                octets: octets.0.clone(),
            }),
            (Event::Command, Self::Command { .. }) => Facts::Command(self.command()?),
            (Event::Outcome, Self::Outcome { fate, reply, id }) => Facts::Outcome(MessageOutcome {
                fate: FATES.value(fate)?,
                reply: reply_of(reply)?,
                id: id.clone(),
            }),
            (Event::Reset, Self::Reset(cause)) => Facts::Reset(RESET_CAUSES.value(cause)?),
            (Event::Disconnect, Self::Disconnect { .. }) => Facts::Disconnect(self.summary()?),
            (event, _) => return Err(SnapshotError::OtherEvent(event)),
        })
    }

    /// The facts of `auth`. The proof is not recorded.
    fn credentials(&self) -> Result<Credentials, SnapshotError> {
        let Self::Auth {
            mechanism,
            identity,
            act_as,
        } = self
        else {
            return Err(SnapshotError::OtherEvent(Event::Auth));
        };
        Ok(Credentials {
            mechanism: Mechanism::parse(mechanism).ok_or_else(|| SnapshotError::UnknownName {
                kind: "SASL mechanism",
                name: mechanism.clone(),
            })?,
            identity: identity.clone(),
            act_as: act_as.clone(),
            proof: Proof::Verified,
        })
    }

    /// The facts of `command`.
    fn command(&self) -> Result<CommandLine, SnapshotError> {
        let Self::Command {
            verb,
            argument,
            line,
            known,
        } = self
        else {
            return Err(SnapshotError::OtherEvent(Event::Command));
        };
        Ok(CommandLine {
            verb: verb.as_str().into(),
            argument: argument.as_str().into(),
            line: line.0.clone().into(),
            known: *known,
        })
    }

    /// The facts of `disconnect`.
    fn summary(&self) -> Result<SessionSummary, SnapshotError> {
        let Self::Disconnect {
            ending,
            commands,
            errors,
            messages,
        } = self
        else {
            return Err(SnapshotError::OtherEvent(Event::Disconnect));
        };
        Ok(SessionSummary {
            ending: ENDINGS.value(ending)?,
            counters: Counters {
                commands: *commands,
                errors: *errors,
                messages: *messages,
            },
        })
    }
}

/// The restored facts of a question, which [`Question`] borrows.
#[derive(Debug)]
pub(in crate::recording) enum QuestionFacts {
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
    /// The question.
    pub(in crate::recording) fn question(&self) -> Question<'_> {
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

pub(super) fn introduction(kind: &str, name: &str) -> Result<Introduction, SnapshotError> {
    Ok(Introduction {
        kind: HELOS.value(kind)?,
        name: name.into(),
    })
}

/// The lines of a reply as they are sent, with their codes.
fn lines(reply: &Reply) -> Vec<String> {
    let mut octets = Vec::new();
    reply.write(Charset::Utf8, &mut octets);
    let text = String::from_utf8_lossy(&octets);
    text.lines().map(str::to_owned).collect()
}

/// Parses the lines of a reply.
fn reply_of(lines: &[String]) -> Result<Reply, SnapshotError> {
    let mut parser = ReplyParser::default();
    for line in lines {
        match parser.line(line.as_bytes()) {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(SnapshotError::IncompleteReply)
}
