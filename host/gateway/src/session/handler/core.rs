//! The handler of one session: what it knows, and how it asks the plugins.

use std::net::IpAddr;
use std::sync::Arc;

use postgate_config::Submission;
use postgate_contract::Event;
use postgate_delivery::BackendTransaction;
use postgate_dns::ReverseName;
use postgate_proto::auth::Mechanism;
use postgate_proto::session::{
    ClientIdentity, ClientTrust, Counters, Ending, Offers, OptionalQuestion, Preamble, Profile, Tls,
};
use postgate_runtime::LoadedPlugin;
use postgate_runtime::context::{Authentication, Context, Message, RemoteHost, SessionFacts};
use postgate_runtime::host_calls::HostCallLog;
use postgate_runtime::pipeline::{Pipeline, Subject};
use postgate_runtime::question::{Question, ResetCause, SessionSummary};
use postgate_runtime::verdict::Verdict;
use postgate_spool::Spool;

use super::incoming::Incoming;
use crate::auth::attempts::Attempt;
use crate::id;
use crate::session::services::Services;
use crate::shutdown::Shutdown;

/// Answers the questions of one session.
pub struct Handler {
    pub(super) context: Arc<Context>,
    pub(super) pipeline: Pipeline<LoadedPlugin>,
    pub(super) services: Arc<Services>,
    pub(super) submission: Submission,
    pub(super) shutdown: Shutdown,
    /// What the backend knows of the transaction; `None` before its first recipient.
    pub(super) backend: Option<BackendTransaction>,
    pub(super) incoming: Incoming,
    /// The SCRAM exchange under way.
    pub(super) exchange: Option<ScramExchange>,
}

/// What a handler is made of.
pub struct HandlerParts {
    /// Who the client is, and where it has connected.
    pub facts: SessionFacts,
    /// The plugins of the session.
    pub pipeline: Pipeline<LoadedPlugin>,
    /// What all sessions share.
    pub services: Arc<Services>,
    /// What is done to messages of clients that have authenticated.
    pub submission: Submission,
    /// When to stop.
    pub shutdown: Shutdown,
}

/// A SCRAM exchange, in which the gateway itself finds out if the client knows the password.
#[derive(Debug)]
pub(super) struct ScramExchange {
    pub(super) mechanism: Mechanism,
    pub(super) identity: Box<str>,
    pub(super) attempt: Attempt,
}

impl Handler {
    /// The handler of a session that begins.
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
            incoming: Incoming::new(Spool::new(Arc::clone(&services.spool))),
            services,
            submission,
            shutdown,
            backend: None,
            exchange: None,
        }
    }

    /// Records what plugins learn from outside.
    pub fn record_host_calls(&mut self) {
        Arc::make_mut(&mut self.context).host_calls = HostCallLog::recorder();
    }

    /// The client has authenticated before the session, and acts as this identity.
    pub fn act_as(&mut self, identity: &str) {
        Arc::make_mut(&mut self.context).authentication = Some(Authentication {
            since: id::now(),
            mechanism: "XCLIENT",
            identity: identity.into(),
            acts_as: identity.into(),
        });
    }

    /// What the plugins and facts of this session mean for the protocol. TLS and trust are left to the
    /// caller.
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

    /// What plugins have set for the session.
    pub fn profile(&self) -> &Arc<Profile> {
        &self.context.profile
    }

    /// The client's address as it holds now.
    pub(crate) fn remote_ip(&self) -> IpAddr {
        self.context.session.remote.ip()
    }

    /// True if the client's name is known already.
    pub(crate) fn has_remote_host(&self) -> bool {
        self.context.session.remote_host.name().is_some()
    }

    /// Takes the result of the reverse lookup of the client's address.
    pub(crate) fn set_reverse_name(&mut self, name: ReverseName) {
        let context = Arc::make_mut(&mut self.context);
        Arc::make_mut(&mut context.session).remote_host = match name {
            ReverseName::Confirmed(name) => RemoteHost::Confirmed(name),
            ReverseName::Unanswered => RemoteHost::Unknown,
            ReverseName::Unconfirmed => RemoteHost::Unconfirmed,
        };
    }

    /// Asks the plugins, and waits if they want the client to wait.
    pub(super) async fn ask(&mut self, subject: impl Into<Subject<'_>>) -> Verdict {
        let subject = subject.into();
        if !self.pipeline.handles(subject.question().event()) {
            return Verdict::Next;
        }
        let outcome = self.pipeline.ask(subject, &mut self.context).await;
        if !outcome.delay.is_zero() {
            // A gateway that stops does not wait: the client is to be told.
            self.shutdown.pause(outcome.delay).await;
        }
        outcome.verdict
    }

    /// Forgets the transaction, if there is one, and tells the plugins what ended it.
    pub(super) async fn end_transaction(&mut self, cause: ResetCause) {
        let is_open = self.context.transaction.is_some();
        self.reset();
        if is_open {
            self.ask(Question::Reset(cause)).await;
        }
    }

    /// Forgets the transaction, here and at the backend.
    pub(super) fn reset(&mut self) {
        self.backend = None;
        self.incoming.clear();
        let context = Arc::make_mut(&mut self.context);
        context.transaction = None;
        context.message = Message::default();
    }

    /// Tells the plugins that the session is over.
    pub async fn disconnect(&mut self, ending: Ending, counters: Counters) {
        self.reset();
        let summary = SessionSummary { ending, counters };
        self.ask(Question::Disconnect(summary)).await;
    }
}
