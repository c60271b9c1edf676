//! What an event is about.

use postgate_proto::reply::{Reply, ReplyParser};
use postgate_proto::session::Counters;
use serde::{Deserialize, Serialize};

use super::names::{CAUSES, ENDINGS, FATES, find, find_name};
use crate::context::{BodyChunk, CommandLine, MessageOutcome, Occasion, Summary};
use crate::recording::octets::Octets;

/// What an event is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Matter {
    About(String),
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
    Outcome {
        fate: String,
        reply: Vec<String>,
        id: String,
    },
    Reset(String),
}

pub(super) fn matter(occasion: &Occasion) -> Matter {
    match occasion {
        Occasion::About(subject) => Matter::About(subject.to_string()),
        Occasion::BodyChunk(chunk) => Matter::BodyChunk {
            offset: chunk.offset,
            octets: Octets(chunk.octets.clone()),
        },
        Occasion::Command(command) => Matter::Command {
            verb: command.verb.to_string(),
            argument: command.argument.to_string(),
            line: Octets(command.line.to_vec()),
            known: command.known,
        },
        Occasion::Disconnect(summary) => Matter::Disconnect {
            ending: find_name(&ENDINGS, &summary.ending).to_owned(),
            commands: summary.counters.commands,
            errors: summary.counters.errors,
            messages: summary.counters.messages,
        },
        Occasion::Outcome(outcome) => Matter::Outcome {
            fate: find_name(&FATES, &outcome.fate).to_owned(),
            reply: lines(&outcome.reply),
            id: outcome.id.clone(),
        },
        Occasion::Reset(cause) => Matter::Reset(find_name(&CAUSES, cause).to_owned()),
    }
}

impl Matter {
    pub(super) fn occasion(&self) -> Result<Occasion, String> {
        Ok(match self {
            Self::About(subject) => Occasion::About(subject.as_str().into()),
            Self::BodyChunk { offset, octets } => Occasion::BodyChunk(BodyChunk {
                offset: *offset,
                octets: octets.0.clone(),
            }),
            Self::Command {
                verb,
                argument,
                line,
                known,
            } => Occasion::Command(CommandLine {
                verb: verb.as_str().into(),
                argument: argument.as_str().into(),
                line: line.0.clone().into(),
                known: *known,
            }),
            Self::Disconnect {
                ending,
                commands,
                errors,
                messages,
            } => Occasion::Disconnect(Summary {
                ending: *find(&ENDINGS, ending)?,
                counters: Counters {
                    commands: *commands,
                    errors: *errors,
                    messages: *messages,
                },
            }),
            Self::Outcome { fate, reply, id } => Occasion::Outcome(MessageOutcome {
                fate: *find(&FATES, fate)?,
                reply: reply_of(reply)?,
                id: id.clone(),
            }),
            Self::Reset(cause) => Occasion::Reset(*find(&CAUSES, cause)?),
        })
    }
}

pub(super) fn lines(reply: &Reply) -> Vec<String> {
    let mut octets = Vec::new();
    reply.write(&mut octets);
    let text = String::from_utf8_lossy(&octets);
    text.lines().map(str::to_owned).collect()
}

pub(super) fn reply_of(lines: &[String]) -> Result<Reply, String> {
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
