//! Where the questions of a session are answered: by the plugins first, then by the backend.

mod envelope;
mod handover;
mod login;
mod message;

use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use postgate_proto::auth::Decoy;
use postgate_proto::fault::Fault;
use postgate_proto::reply::Refusal;
use postgate_proto::session::{Answer, Ask, Counters, Ending, Helo, Offers, Tls};
use postgate_proto::xclient::Xclient;
use tokio::sync::watch;
use tracing::{debug, info};

use self::handover::AtBackend;
pub(crate) use self::login::Login;
use self::message::Incoming;
use crate::id;
use crate::metrics::Metrics;
use crate::shutdown::{self, Phase};
use crate::tls::HandshakeError;
use postgate_config::Submission;
use postgate_contract::Event;
use postgate_delivery::{Delivery, Maildir};
use postgate_dns::ReverseName;
use postgate_runtime::LoadedPlugin;
use postgate_runtime::context::{
    Authentication, Cause, ClientError, CommandLine, Context, Message, Occasion, RemoteHost,
    SessionFacts, Summary, TlsFacts,
};
use postgate_runtime::host_calls::HostCallLog;
use postgate_runtime::pipeline::{Decision, Pipeline};
use postgate_runtime::verdict::TextEdit;
use postgate_spool::Spool;

/// Answers one session.
pub(crate) struct Desk {
    context: Arc<Context>,
    pipeline: Pipeline<LoadedPlugin>,
    delivery: Delivery,
    quarantine: Option<Maildir>,
    at_backend: Option<AtBackend>,
    incoming: Incoming,
    texts: Vec<TextEdit>,
    login: Login,
    submission: Submission,
    metrics: Arc<Metrics>,
    /// How far the gateway is with its work, where there is one.
    phase: Option<watch::Receiver<Phase>>,
}

impl Desk {
    pub(crate) fn new(
        session: SessionFacts,
        pipeline: Pipeline<LoadedPlugin>,
        delivery: Delivery,
        quarantine: Option<Maildir>,
        spool: Spool,
        login: Login,
        metrics: Arc<Metrics>,
    ) -> Self {
        let mut context = Context::new(Arc::new(session));
        context.say_usual(pipeline.settings());
        Self {
            context: Arc::new(context),
            pipeline,
            delivery,
            quarantine,
            at_backend: None,
            incoming: Incoming::new(spool),
            texts: Vec::new(),
            login,
            submission: Submission::default(),
            metrics,
            phase: None,
        }
    }

    /// The gateway that the session belongs to.
    pub(crate) fn follow(&mut self, phase: watch::Receiver<Phase>) {
        self.phase = Some(phase);
    }

    /// What is done to the messages of this session where the client has authenticated.
    pub(crate) const fn set_submission(&mut self, submission: Submission) {
        self.submission = submission;
    }

    /// Answers a question.
    pub(crate) async fn answer(&mut self, ask: Ask, counters: Counters) -> Answer {
        Arc::make_mut(&mut self.context).errors = counters.errors;
        match ask {
            Ask::Auth(credentials) => self.auth(credentials).await,
            Ask::AuthKeys {
                identity,
                mechanism,
            } => self.auth_keys(mechanism, identity).await,
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
                self.query(Event::Command, Occasion::Command(line)).await
            }
            Ask::Connect => answer_of(self.ask(Event::Connect).await),
            Ask::Data => self.data().await,
            Ask::Expn(list) => self.query(Event::Expn, Occasion::About(list)).await,
            Ask::Headers => self.headers().await,
            Ask::Helo { kind, name } => self.helo(kind, name).await,
            Ask::Help(topic) => self.query(Event::Help, Occasion::About(topic)).await,
            Ask::Mail { sender, parameters } => self.mail(sender, parameters).await,
            Ask::Message => self.message().await,
            Ask::Rcpt {
                recipient,
                parameters,
            } => self.rcpt(recipient, parameters).await,
            Ask::StartTls => self.starttls().await,
            Ask::Vrfy(user) => self.query(Event::Vrfy, Occasion::About(user)).await,
            Ask::Xclient(xclient) => self.xclient(xclient),
        }
    }

    /// Asks about what a proxy said, before the session. Nothing: nobody objects.
    pub(crate) async fn proxy(&mut self) -> Option<Refusal> {
        match self.ask(Event::Proxy).await {
            Decision::Disconnect(refusal) | Decision::Refuse(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// What the plugins of this session make of it.
    pub(crate) fn offers(&self) -> Offers {
        Offers {
            decoy: self.decoy(),
            expn: self.pipeline.handles(Event::Expn),
            filters_commands: self.pipeline.handles(Event::Command),
            proxied: self.context.session.proxy.is_some(),
            scram: self.pipeline.handles(Event::AuthKeys),
            seed: self.login.secrets.seed(),
            tls: Tls::Off,
            xclient: false,
        }
    }

    /// What keys for unknown users are made of, now.
    pub(crate) fn decoy(&self) -> Decoy {
        self.login.secrets.decoy()
    }

    /// The client's address as it holds now.
    pub(crate) fn remote_ip(&self) -> IpAddr {
        self.context.session.remote.ip()
    }

    /// Whether the client's name is known already.
    pub(crate) fn has_remote_host(&self) -> bool {
        self.context.session.remote_host.name().is_some()
    }

    /// This is what reverse DNS says about the client.
    pub(crate) fn set_reverse_name(&mut self, name: ReverseName) {
        let context = Arc::make_mut(&mut self.context);
        Arc::make_mut(&mut context.session).remote_host = match name {
            ReverseName::Confirmed(name) => RemoteHost::Confirmed(name),
            ReverseName::Unanswered => RemoteHost::Unknown,
            ReverseName::Unconfirmed => RemoteHost::Unconfirmed,
        };
    }

    /// Keeps what plugins learn from outside, for a recording.
    pub(crate) fn record(&mut self) {
        Arc::make_mut(&mut self.context).tape = HostCallLog::recorder();
    }

    /// The client has authenticated before the session, and acts as this identity.
    pub(crate) fn act_as(&mut self, identity: &str) {
        Arc::make_mut(&mut self.context).authentication = Some(Authentication {
            since: id::now(),
            mechanism: "XCLIENT",
            identity: identity.into(),
            acts_as: identity.into(),
        });
    }

    /// The session is encrypted from now on, and begins anew.
    pub(crate) fn encrypted(&mut self, facts: TlsFacts) {
        self.reset();
        let session = &self.context.session;
        let certificate = facts.client_certificate.as_ref();
        debug!(
            session = session.id,
            version = facts.version,
            cipher = facts.cipher,
            server_name = facts.server_name,
            client = certificate.map(|certificate| certificate.subject.as_str()),
            verified = certificate.map(|certificate| certificate.verified),
            resumed = facts.is_resumed,
            "encrypted"
        );
        let context = Arc::make_mut(&mut self.context);
        context.helo = None;
        context.authentication = None;
        context.tls = Some(Arc::new(facts));
    }

    /// The session could not be encrypted, and is over.
    pub(crate) fn handshake_failed(&self, error: &HandshakeError) {
        let session = &self.context.session;
        error.log(&session.id, session.remote);
    }

    /// What the session is to say from now on; each change comes once.
    pub(crate) fn take_texts(&mut self) -> impl Iterator<Item = TextEdit> {
        mem::take(&mut self.texts).into_iter()
    }

    /// Remembers a fault of the client for the plugins, and logs it: what an operator will be asked
    /// about, and the rest for who looks closer.
    pub(crate) fn note(&mut self, fault: Fault) {
        self.note_exchange(fault);
        if fault.is_error() {
            let at = id::now();
            let fault = fault.name();
            let faults = &mut Arc::make_mut(&mut self.context).faults;
            faults.push(ClientError { at, fault });
        }
        let session = &self.context.session;
        let (id, remote, fault_name) = (&session.id, session.remote.ip(), fault.name());
        match fault {
            Fault::AuthRejected
            | Fault::AuthRequired
            | Fault::ChannelBinding
            | Fault::PlaintextBehindStartTls
            | Fault::RelayDenied => {
                info!(session = id, %remote, fault = fault_name, "refused");
            }
            _ => debug!(session = id, %remote, fault = fault_name, "refused"),
        }
    }

    /// Forgets the transaction, where there is one, and tells the plugins what ended it.
    async fn end_transaction(&mut self, cause: Cause) {
        let is_open = self.context.transaction.is_some();
        self.reset();
        if is_open && self.pipeline.handles(Event::Reset) {
            self.ask_about(Event::Reset, Occasion::Reset(cause)).await;
            self.take_occasion();
        }
    }

    /// Forgets the transaction, here and at the backend.
    pub(crate) fn reset(&mut self) {
        self.at_backend = None;
        self.incoming.clear();
        let context = Arc::make_mut(&mut self.context);
        context.transaction = None;
        context.message = Message::default();
    }

    /// Tells the plugins that the session is over.
    pub(crate) async fn disconnect(&mut self, ending: Ending, counters: Counters) {
        self.reset();
        let summary = Summary { ending, counters };
        self.ask_about(Event::Disconnect, Occasion::Disconnect(summary))
            .await;
    }

    /// Asks the plugins, and waits where they want the client to wait.
    async fn ask(&mut self, event: Event) -> Decision {
        if !self.pipeline.handles(event) {
            return Decision::Pass;
        }
        let outcome = self.pipeline.ask(event, &mut self.context).await;
        self.texts.extend(outcome.texts);
        if !outcome.delay.is_zero() {
            self.pause(outcome.delay).await;
        }
        outcome.decision
    }

    /// A gateway that stops does not wait for this: the client is to hear of it.
    async fn pause(&mut self, delay: Duration) {
        match &mut self.phase {
            Some(phase) => shutdown::pause(delay, phase).await,
            None => tokio::time::sleep(delay).await,
        }
    }

    async fn query(&mut self, event: Event, occasion: Occasion) -> Answer {
        if !self.pipeline.handles(event) {
            return Answer::Proceed(None);
        }
        let decision = self.ask_about(event, occasion).await;
        self.take_occasion();
        answer_of(decision)
    }

    /// Asks the plugins about something that only this event is about.
    async fn ask_about(&mut self, event: Event, occasion: Occasion) -> Decision {
        Arc::make_mut(&mut self.context).occasion = Some(occasion);
        self.ask(event).await
    }

    fn take_occasion(&mut self) -> Option<Occasion> {
        Arc::make_mut(&mut self.context).occasion.take()
    }

    /// The session begins anew, on behalf of the client that a trusted one has named.
    fn xclient(&mut self, xclient: Xclient) -> Answer {
        self.reset();
        self.pipeline.begin_session();
        let context = Arc::make_mut(&mut self.context);
        context.forget_client(self.pipeline.settings());
        if let Some(login) = xclient.login.filter(|login| !login.is_empty()) {
            self.act_as(&login);
        }
        let context = Arc::make_mut(&mut self.context);
        let session = Arc::make_mut(&mut context.session);
        if let Some(address) = xclient.address {
            session.remote.set_ip(address);
            session.remote_host = RemoteHost::Unknown;
        }
        if let Some(port) = xclient.port {
            session.remote.set_port(port);
        }
        if let Some(name) = xclient.name {
            session.remote_host = match name.is_empty() {
                true => RemoteHost::Unknown,
                false => RemoteHost::Told(name),
            };
        }
        if let Some(address) = xclient.local_address {
            session.local.set_ip(address);
        }
        if let Some(port) = xclient.local_port {
            session.local.set_port(port);
        }
        info!(session = session.id, remote = %session.remote, "client named by XCLIENT");
        match context.authentication {
            Some(_) => Answer::Authenticated,
            None => Answer::Proceed(None),
        }
    }

    /// TLS ends a transaction that is under way (RFC 3207 §4.2).
    async fn starttls(&mut self) -> Answer {
        let answer = answer_of(self.ask(Event::StartTls).await);
        if matches!(answer, Answer::Proceed(_)) {
            self.end_transaction(Cause::StartTls).await;
        }
        answer
    }

    async fn helo(&mut self, kind: Helo, name: Box<str>) -> Answer {
        self.end_transaction(Cause::Helo).await;
        Arc::make_mut(&mut self.context).helo = Some((kind, name));
        let answer = answer_of(self.ask(Event::Helo).await);
        if !matches!(answer, Answer::Proceed(_)) {
            Arc::make_mut(&mut self.context).helo = None;
        }
        answer
    }
}

fn answer_of(decision: Decision) -> Answer {
    match decision {
        Decision::Answer(acceptance) => Answer::Proceed(Some(acceptance)),
        Decision::Authenticate(_) => Answer::Authenticated,
        Decision::Disconnect(refusal) => Answer::Disconnect(refusal),
        Decision::Discard | Decision::Pass | Decision::Quarantine => Answer::Proceed(None),
        Decision::Keys(keys) => Answer::Keys(Some(keys)),
        // Where a refusal can wait, the caller has dealt with it.
        Decision::Defer(refusal) | Decision::Refuse(refusal) => Answer::Refuse(refusal),
    }
}
