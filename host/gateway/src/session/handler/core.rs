//! The handler of a session: its state, and how it asks the plugins.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use postgate_config::Submission;
use postgate_contract::Event;
use postgate_delivery::BackendTransaction;
use postgate_dns::ReverseName;
use postgate_proto::address::ForwardPath;
use postgate_proto::auth::Mechanism;
use postgate_proto::reply::{Enhanced, Refusal};
use postgate_proto::session::{
    ClientIdentity, ClientTrust, Counters, Ending, Offers, OptionalQuestion, Preamble, Profile, Tls,
};
use postgate_runtime::LoadedPlugin;
use postgate_runtime::context::{Authentication, Context, Message, RemoteHost, SessionFacts};
use postgate_runtime::host_calls::HostCallLog;
use postgate_runtime::pipeline::{Pipeline, Subject};
use postgate_runtime::question::{Question, ResetCause, SessionSummary};
use postgate_runtime::verdict::{Refused, Verdict};
use postgate_spool::Spool;

use super::incoming_message::IncomingMessage;
use crate::auth::attempts::Attempt;
use crate::clock;
use crate::session::presence::Presence;
use crate::session::services::Services;
use crate::shutdown::Shutdown;

/// Answers the questions of one session.
pub struct Handler {
    pub(super) context: Arc<Context>,
    pub(super) pipeline: Pipeline<LoadedPlugin>,
    pub(super) services: Arc<Services>,
    pub(super) submission: Submission,
    pub(super) shutdown: Shutdown,
    presence: Presence,
    /// The transaction at the backend; `None` before its first recipient.
    pub(super) backend: Option<BackendTransaction>,
    /// Recipients whom the client has named and who were refused, while the delivery remembers
    /// attempts: they may show that a message is a retry.
    pub(super) turned_away: Vec<ForwardPath>,
    pub(super) incoming: IncomingMessage,
    /// The SCRAM exchange in progress.
    pub(super) exchange: Option<ScramExchange>,
}

/// The parts of a new handler.
pub struct HandlerParts {
    /// The facts about the client and the listener.
    pub facts: SessionFacts,
    /// The plugins of the session.
    pub pipeline: Pipeline<LoadedPlugin>,
    /// The services that all sessions share.
    pub services: Arc<Services>,
    /// The changes to messages of authenticated clients.
    pub submission: Submission,
    /// Observes the shutdown of the gateway.
    pub shutdown: Shutdown,
}

/// A SCRAM exchange, in which the gateway itself verifies the proof of the client.
#[derive(Debug)]
pub(super) struct ScramExchange {
    pub(super) mechanism: Mechanism,
    pub(super) identity: Box<str>,
    pub(super) attempt: Attempt,
}

impl Handler {
    /// Creates the handler of a new session.
    pub fn new(parts: HandlerParts) -> Self {
        let HandlerParts {
            facts,
            pipeline,
            services,
            submission,
            shutdown,
        } = parts;
        Self {
            context: Arc::new(Context::new(Arc::new(facts))),
            pipeline,
            incoming: IncomingMessage::new(Spool::new(Arc::clone(&services.spool))),
            services,
            submission,
            shutdown,
            presence: Presence::new(),
            backend: None,
            turned_away: Vec::new(),
            exchange: None,
        }
    }

    /// Records the results of host calls, so that a recording of the session can be replayed.
    pub fn record_host_calls(&mut self) {
        Arc::make_mut(&mut self.context).host_calls = HostCallLog::recorder();
    }

    /// Marks the client as authenticated with an identity, as XCLIENT LOGIN does.
    pub fn set_identity(&mut self, identity: &str) {
        Arc::make_mut(&mut self.context).authentication = Some(Authentication {
            since: clock::unix_time(),
            mechanism: "XCLIENT",
            identity: identity.into(),
            acts_as: identity.into(),
        });
    }

    /// Returns the offers of the session that follow from its plugins and facts. The caller sets TLS and
    /// trust.
    pub fn offers(&self) -> Offers {
        let optional = [
            (Event::AuthKeys, OptionalQuestion::AuthKeys),
            (Event::Command, OptionalQuestion::Command),
            (Event::Expn, OptionalQuestion::Expn),
        ];
        let handled = optional
            .into_iter()
            .filter(|(event, _)| self.pipeline.handles(*event));
        Offers {
            questions: handled.map(|(_, question)| question).collect(),
            preamble: match self.context.session.proxy {
                Some(_) => Preamble::Proxy,
                None => Preamble::None,
            },
            seed: self.services.secrets.seed(),
            tls: Tls::Off,
            client: ClientTrust::Ordinary,
            identity: match self.context.authentication {
                Some(_) => ClientIdentity::Authenticated,
                None => ClientIdentity::Anonymous,
            },
        }
    }

    /// Returns the profile that plugins have set for the session.
    pub fn profile(&self) -> &Arc<Profile> {
        &self.context.profile
    }

    /// Returns the client's address, after XCLIENT the one that it names.
    pub(crate) fn remote_ip(&self) -> IpAddr {
        self.context.session.remote.ip()
    }

    /// Returns true if the client's name is known already.
    pub(crate) fn has_remote_host(&self) -> bool {
        self.context.session.remote_host.name().is_some()
    }

    /// Sets the result of the reverse DNS lookup of the client's address.
    pub(crate) fn set_reverse_name(&mut self, name: ReverseName) {
        let context = Arc::make_mut(&mut self.context);
        Arc::make_mut(&mut context.session).remote_host = match name {
            ReverseName::Confirmed(name) => RemoteHost::Confirmed(name),
            ReverseName::Unanswered => RemoteHost::Unknown,
            ReverseName::Unconfirmed => RemoteHost::Unconfirmed,
        };
    }

    /// Asks the plugins, and then waits for the delay that they request.
    pub(super) async fn ask(&mut self, subject: impl Into<Subject<'_>>) -> Verdict {
        let subject = subject.into();
        let event = subject.question().event();
        if !self.pipeline.handles(event) {
            return Verdict::Next;
        }
        // It is large, and stays where it is.
        let asked = pin!(self.pipeline.ask(subject, &mut self.context));
        let asked = match event.is_notice() {
            // It is not for the client, who may well have left.
            true => Some(asked.await),
            false => self.presence.during_work(asked).await,
        };
        let Some(outcome) = asked else {
            return Verdict::Disconnect(Refused::from(LEFT));
        };
        if !outcome.delay.is_zero() {
            // A gateway that stops does not wait, so that the client gets the reply.
            let pause = self.shutdown.pause(outcome.delay);
            if self.presence.during(pause).await.is_none() {
                return Verdict::Disconnect(Refused::from(LEFT));
            }
        }
        outcome.verdict
    }

    /// Returns what is known of the client's presence, for who can see it leave.
    pub(crate) fn presence(&self) -> Presence {
        self.presence.clone()
    }

    /// Ends the transaction, if there is one, and reports the cause to the plugins.
    pub(super) async fn end_transaction(&mut self, cause: ResetCause) {
        let is_open = self.context.transaction.is_some();
        self.reset();
        if is_open {
            self.ask(Question::Reset(cause)).await;
        }
    }

    /// Discards the transaction, here and at the backend.
    pub(super) fn reset(&mut self) {
        self.backend = None;
        self.incoming.clear();
        let context = Arc::make_mut(&mut self.context);
        context.transaction = None;
        context.message = Message::default();
    }

    /// Discards the transaction, and reports the end of the session to the plugins.
    pub async fn disconnect(&mut self, ending: Ending, counters: Counters) {
        self.log_unfinished(ending);
        self.reset();
        let summary = SessionSummary { ending, counters };
        self.ask(Question::Disconnect(summary)).await;
    }
}

/// The end of a session whose client has left in the middle of a delay, so that nobody hears it.
const LEFT: Refusal = Refusal::fixed(421, Enhanced::new(4, 4, 2), "Connection closed");
