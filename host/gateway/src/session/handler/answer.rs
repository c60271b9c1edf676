//! Dispatches the questions of a session, and converts verdicts to answers.

use std::sync::Arc;

use postgate_proto::auth::ScramLookup;
use postgate_proto::session::{Answer, Ask, Counters, Rejection};
use postgate_runtime::question::{CommandLine, Question};
use postgate_runtime::verdict::Verdict;

use super::core::Handler;

impl Handler {
    /// Answers a question of the session.
    pub async fn answer(&mut self, ask: Ask, counters: Counters) -> Answer {
        Arc::make_mut(&mut self.context).errors = counters.errors;
        match ask {
            Ask::Auth(credentials) => self.auth(&credentials).await,
            Ask::AuthKeys {
                identity,
                mechanism,
            } => self.auth_keys(mechanism, identity).await,
            Ask::AuthUnproven {
                identity,
                mechanism,
            } => self.auth_unproven(mechanism, &identity),
            Ask::Command {
                verb,
                argument,
                line,
                known,
            } => {
                let line = CommandLine {
                    verb,
                    argument,
                    line,
                    known,
                };
                answer_of(self.ask(Question::Command(&line)).await)
            }
            Ask::Connect => answer_of(self.ask(Question::Connect).await),
            Ask::Data => self.data().await,
            Ask::Expn(list) => answer_of(self.ask(Question::Expn(&list)).await),
            Ask::Headers => self.headers().await,
            Ask::Helo { kind, name } => self.helo(kind, &name).await,
            Ask::Help(topic) => answer_of(self.ask(Question::Help(&topic)).await),
            Ask::Mail { sender, parameters } => self.mail(sender, parameters).await,
            Ask::Message => self.message().await,
            Ask::Rcpt {
                recipient,
                parameters,
            } => self.rcpt(recipient, parameters).await,
            Ask::StartTls => self.starttls().await,
            Ask::Vrfy(user) => answer_of(self.ask(Question::Vrfy(&user)).await),
            Ask::Xclient(xclient) => self.xclient(xclient),
        }
    }
}

/// Converts the verdict of the plugins to the answer for the session.
pub(super) fn answer_of(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Answer(acceptance) => Answer::Proceed(Some(acceptance)),
        Verdict::Authenticate(_) => Answer::Authenticated,
        Verdict::Disconnect(refused) => Answer::Reject(Rejection::Disconnect(refused.refusal)),
        Verdict::Accept
        | Verdict::Decoy(_)
        | Verdict::Discard(_)
        | Verdict::Next
        | Verdict::Quarantine(_) => Answer::Proceed(None),
        Verdict::Keys(keys) => Answer::Keys(ScramLookup::Known(keys)),
        // At the events where a refusal can be deferred, the caller has handled `Defer`.
        Verdict::Defer(refused) | Verdict::Refuse(refused) => {
            Answer::Reject(Rejection::from(refused.refusal))
        }
    }
}
