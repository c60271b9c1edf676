//! Converts the facts of a question into the arguments of event functions.

use std::ops::Deref;

use postgate_proto::auth::{Credentials, Proof};
use postgate_proto::parameters::Parameter;
use postgate_proto::reply::Reply;
use postgate_proto::session::Ending;
use zeroize::Zeroize as _;

use crate::bindings::events::{
    on_auth, on_body_chunk, on_command, on_disconnect, on_outcome, on_reset,
};
use crate::bindings::host::types;
use crate::question::{
    BodyChunk, CommandLine, Fate, MessageOutcome, Question, ResetCause, SessionSummary,
};

/// The arguments of an event function. They belong to the call, which may outlast its place in the session.
pub(crate) enum Arguments {
    None,
    Text(String),
    Recipient(String, Vec<types::Pair>),
    Credentials(ZeroizingCredentials),
    BodyChunk(on_body_chunk::BodyChunk),
    Command(on_command::Command),
    Outcome(on_outcome::Outcome),
    Reset(on_reset::Cause),
    Disconnect(on_disconnect::Summary),
}

impl Arguments {
    pub(crate) fn of(question: Question<'_>) -> Self {
        match question {
            Question::Proxy
            | Question::Connect
            | Question::StartTls
            | Question::Data
            | Question::Headers
            | Question::Message => Self::None,
            Question::Helo(introduction) => Self::Text(introduction.name.to_string()),
            Question::AuthKeys(text)
            | Question::Vrfy(text)
            | Question::Expn(text)
            | Question::Help(text) => Self::Text(text.to_owned()),
            Question::Mail(transaction) => {
                Self::Text(transaction.envelope.sender.as_str().to_owned())
            }
            Question::Auth(given) => Self::Credentials(credentials(given)),
            Question::Rcpt(recipient) => Self::Recipient(
                recipient.path.as_str().to_owned(),
                parameters(&recipient.parameters),
            ),
            Question::BodyChunk(chunk) => Self::BodyChunk(body_chunk(chunk)),
            Question::Command(line) => Self::Command(command_line(line)),
            Question::Outcome(given) => Self::Outcome(outcome(given)),
            Question::Reset(given) => Self::Reset(cause(given)),
            Question::Disconnect(given) => Self::Disconnect(summary(given)),
        }
    }
}

fn body_chunk(chunk: &BodyChunk) -> on_body_chunk::BodyChunk {
    on_body_chunk::BodyChunk {
        offset: chunk.offset,
        data: chunk.octets.clone(),
    }
}

fn outcome(outcome: &MessageOutcome) -> on_outcome::Outcome {
    on_outcome::Outcome {
        fate: match outcome.fate {
            Fate::Delivered => on_outcome::Fate::Delivered,
            Fate::DeliveredInPart => on_outcome::Fate::DeliveredInPart,
            Fate::Discarded => on_outcome::Fate::Discarded,
            Fate::Quarantined => on_outcome::Fate::Quarantined,
            Fate::Refused => on_outcome::Fate::Refused,
        },
        reply: reply(&outcome.reply),
        id: outcome.id.clone(),
    }
}

fn reply(reply: &Reply) -> types::Reply {
    types::Reply {
        code: reply.code(),
        enhanced: reply.enhanced().map(|code| types::EnhancedCode {
            class: code.class(),
            subject: code.subject(),
            detail: code.detail(),
        }),
        lines: reply.lines().map(Into::into).collect(),
    }
}

const fn cause(cause: ResetCause) -> on_reset::Cause {
    match cause {
        ResetCause::Helo => on_reset::Cause::Helo,
        ResetCause::Refused => on_reset::Cause::Refused,
        ResetCause::Rset => on_reset::Cause::Rset,
        ResetCause::StartTls => on_reset::Cause::Starttls,
    }
}

fn command_line(line: &CommandLine) -> on_command::Command {
    on_command::Command {
        verb: line.verb.to_string(),
        argument: line.argument.to_string(),
        line: line.line.to_vec(),
        known: line.known,
    }
}

/// Credentials as an argument of `on-auth`. Dropping them overwrites their secrets in memory.
pub(crate) struct ZeroizingCredentials(on_auth::Credentials);

impl Deref for ZeroizingCredentials {
    type Target = on_auth::Credentials;

    fn deref(&self) -> &on_auth::Credentials {
        &self.0
    }
}

impl Drop for ZeroizingCredentials {
    fn drop(&mut self) {
        wipe(&mut self.0.proof);
    }
}

fn credentials(credentials: &Credentials) -> ZeroizingCredentials {
    ZeroizingCredentials(on_auth::Credentials {
        mechanism: credentials.mechanism.name().into(),
        identity: credentials.identity.clone(),
        act_as: credentials.act_as.clone(),
        proof: proof(&credentials.proof),
    })
}

/// Overwrites the secrets of a proof in memory.
fn wipe(proof: &mut on_auth::Proof) {
    match proof {
        on_auth::Proof::Certificate | on_auth::Proof::Verified => {}
        on_auth::Proof::Password(secret) | on_auth::Proof::Token(secret) => secret.zeroize(),
        on_auth::Proof::Response(response) => response.digest.zeroize(),
    }
}

fn proof(proof: &Proof) -> on_auth::Proof {
    match proof {
        Proof::Certificate => on_auth::Proof::Certificate,
        Proof::Password(password) => on_auth::Proof::Password(password.to_string()),
        Proof::Response { challenge, digest } => {
            on_auth::Proof::Response(on_auth::ChallengeResponse {
                challenge: challenge.clone(),
                digest: digest.to_string(),
            })
        }
        Proof::Token(token) => on_auth::Proof::Token(token.to_string()),
        Proof::Verified => on_auth::Proof::Verified,
    }
}

pub(crate) fn parameters(parameters: &[Parameter]) -> Vec<types::Pair> {
    parameters
        .iter()
        .map(|parameter| types::Pair {
            name: parameter.name.to_string(),
            value: parameter.value.to_string(),
        })
        .collect()
}

fn summary(summary: SessionSummary) -> on_disconnect::Summary {
    use on_disconnect::Reason;
    on_disconnect::Summary {
        reason: match summary.ending {
            Ending::Closed => Reason::Closed,
            Ending::Disconnected | Ending::EndlessLine | Ending::TooManyErrors => Reason::Refused,
            Ending::Quit => Reason::Quit,
            Ending::Shutdown => Reason::Shutdown,
            Ending::Timeout => Reason::Timeout,
        },
        commands: summary.counters.commands,
        errors: summary.counters.errors,
        messages: summary.counters.messages,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_left_of_a_proof() {
        let response = on_auth::ChallengeResponse {
            challenge: "<1@mx>".into(),
            digest: "d1ge57".into(),
        };
        for mut proof in [
            on_auth::Proof::Password("pencil".into()),
            on_auth::Proof::Token("ya29".into()),
            on_auth::Proof::Response(response),
        ] {
            wipe(&mut proof);
            let (on_auth::Proof::Password(secret)
            | on_auth::Proof::Token(secret)
            | on_auth::Proof::Response(on_auth::ChallengeResponse { digest: secret, .. })) = proof
            else {
                panic!("no secret");
            };
            assert!(secret.is_empty());
        }
    }
}
