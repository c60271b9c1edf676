//! Where the questions of a session are answered: by the plugins first, then by the backend.

mod handover;

use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::auth::Credentials;
use postgate_proto::fault::Fault;
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::{MailParameters, Parameter};
use postgate_proto::reply::{Acceptance, Enhanced, Refusal};
use postgate_proto::session::{
    Answer, Ask, Counters, Ending, Helo, Offers, TLS_NOT_AVAILABLE, Tls,
};
use postgate_proto::xclient::Xclient;
use tracing::{debug, info, warn};

use self::handover::AtBackend;
use crate::config::sidecar::Event;
use crate::delivery::{Delivery, DeliveryError, Maildir};
use crate::id;
use crate::metrics::Metrics;
use crate::plugin::Component;
use crate::plugin::context::{
    CommandLine, Context, Message, Occasion, SessionFacts, Summary, Transaction,
};
use crate::plugin::pipeline::{Decision, Pipeline};
use crate::plugin::verdict::TextEdit;
use crate::secrets::Secrets;
use crate::spool::Spool;

/// Answers one session.
pub(crate) struct Desk {
    context: Arc<Context>,
    pipeline: Pipeline<Component>,
    delivery: Delivery,
    quarantine: Option<Maildir>,
    at_backend: Option<AtBackend>,
    incoming: Incoming,
    texts: Vec<TextEdit>,
    secrets: Arc<Secrets>,
    metrics: Arc<Metrics>,
}

impl Desk {
    pub(crate) fn new(
        session: SessionFacts,
        pipeline: Pipeline<Component>,
        delivery: Delivery,
        quarantine: Option<Maildir>,
        spool: Spool,
        secrets: Arc<Secrets>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            context: Arc::new(Context::new(Arc::new(session))),
            pipeline,
            delivery,
            quarantine,
            at_backend: None,
            incoming: Incoming {
                head: Some(Vec::new()),
                spool,
                started_at: 0,
            },
            texts: Vec::new(),
            secrets,
            metrics,
        }
    }

    /// Answers a question.
    pub(crate) async fn answer(&mut self, ask: Ask, counters: Counters) -> Answer {
        Arc::make_mut(&mut self.context).errors = counters.errors;
        match ask {
            Ask::Auth(credentials) => self.auth(credentials).await,
            Ask::AuthKeys(identity) => self.auth_keys(identity).await,
            Ask::Command {
                verb,
                argument,
                known,
            } => {
                let line = CommandLine {
                    line: format!("{verb} {argument}").trim_end().as_bytes().into(),
                    verb,
                    argument,
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
            Ask::StartTls => Answer::Refuse(TLS_NOT_AVAILABLE),
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
            decoy: self.secrets.decoy(),
            expn: self.pipeline.handles(Event::Expn),
            filters_commands: self.pipeline.handles(Event::Command),
            proxied: self.context.session.proxy.is_some(),
            scram: self.pipeline.handles(Event::AuthKeys),
            seed: self.secrets.seed(),
            tls: Tls::Off,
            xclient: false,
        }
    }

    /// The client's address as it holds now.
    pub(crate) fn remote_ip(&self) -> IpAddr {
        self.context.session.remote.ip()
    }

    /// Whether the client's name is known already.
    pub(crate) fn has_remote_host(&self) -> bool {
        self.context.session.remote_host.is_some()
    }

    /// The client has this name by reverse DNS.
    pub(crate) fn set_remote_host(&mut self, name: String) {
        let context = Arc::make_mut(&mut self.context);
        Arc::make_mut(&mut context.session).remote_host = Some(name);
    }

    /// The client has authenticated before the session, and acts as this identity.
    pub(crate) fn act_as(&mut self, identity: &str) {
        Arc::make_mut(&mut self.context).authenticated_as = Some(identity.into());
    }

    /// What the session is to say from now on; each change comes once.
    pub(crate) fn take_texts(&mut self) -> impl Iterator<Item = TextEdit> {
        mem::take(&mut self.texts).into_iter()
    }

    /// Keeps octets of the message: up to the question about the header block they belong to it.
    pub(crate) fn store(&mut self, octets: &[u8]) -> Result<(), Refusal> {
        if self.incoming.started_at == 0 {
            self.incoming.started_at = id::now();
        }
        let Some(head) = &mut self.incoming.head else {
            return self.incoming.spool.write(octets).map_err(|error| {
                warn!(session = self.context.session.id, %error, "cannot keep a message");
                error.refusal()
            });
        };
        head.extend_from_slice(octets);
        Ok(())
    }

    /// Logs a fault of the client: what an operator will be asked about, and the rest for who looks
    /// closer.
    pub(crate) fn note(&self, fault: Fault) {
        let session = &self.context.session;
        let (id, remote, fault_name) = (&session.id, session.remote.ip(), fault.name());
        match fault {
            Fault::AuthRejected | Fault::AuthRequired | Fault::RelayDenied => {
                info!(session = id, %remote, fault = fault_name, "refused");
            }
            _ => debug!(session = id, %remote, fault = fault_name, "refused"),
        }
    }

    /// The message of the transaction was refused before it came to the question about it.
    pub(crate) fn message_refused(&self, refusal: Refusal) {
        let answer = Answer::Refuse(refusal.clone());
        self.log(&Decision::Refuse(refusal), &answer);
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
        Arc::make_mut(&mut self.context).occasion = Some(Occasion::Disconnect(summary));
        self.ask(Event::Disconnect).await;
    }

    /// Asks the plugins, and waits where they want the client to wait.
    async fn ask(&mut self, event: Event) -> Decision {
        if !self.pipeline.handles(event) {
            return Decision::Pass;
        }
        let outcome = self.pipeline.ask(event, &mut self.context).await;
        self.texts.extend(outcome.texts);
        if !outcome.delay.is_zero() {
            tokio::time::sleep(outcome.delay).await;
        }
        outcome.decision
    }

    async fn auth(&mut self, credentials: Credentials) -> Answer {
        Arc::make_mut(&mut self.context).credentials = Some(credentials);
        let decision = self.ask(Event::Auth).await;
        let context = Arc::make_mut(&mut self.context);
        context.credentials = None;
        if let Decision::Authenticate(identity) = &decision {
            context.authenticated_as = Some(identity.as_str().into());
            info!(session = context.session.id, identity, "authenticated");
        }
        answer_of(decision)
    }

    async fn auth_keys(&mut self, identity: Box<str>) -> Answer {
        let answer = self.query(Event::AuthKeys, Occasion::About(identity)).await;
        if let Answer::Keys(Some(keys)) = &answer {
            self.secrets.note_iterations(keys.iterations());
        }
        answer
    }

    async fn query(&mut self, event: Event, occasion: Occasion) -> Answer {
        if !self.pipeline.handles(event) {
            return Answer::Proceed(None);
        }
        Arc::make_mut(&mut self.context).occasion = Some(occasion);
        let answer = answer_of(self.ask(event).await);
        Arc::make_mut(&mut self.context).occasion = None;
        answer
    }

    /// The session begins anew, on behalf of the client that a trusted one has named.
    fn xclient(&mut self, xclient: Xclient) -> Answer {
        self.reset();
        let context = Arc::make_mut(&mut self.context);
        context.helo = None;
        context.authenticated_as = xclient
            .login
            .filter(|login| !login.is_empty())
            .map(Into::into);
        let session = Arc::make_mut(&mut context.session);
        if let Some(address) = xclient.address {
            session.remote.set_ip(address);
            session.remote_host = None;
        }
        if let Some(port) = xclient.port {
            session.remote.set_port(port);
        }
        if let Some(name) = xclient.name {
            session.remote_host = (!name.is_empty()).then_some(name);
        }
        if let Some(address) = xclient.local_address {
            session.local.set_ip(address);
        }
        if let Some(port) = xclient.local_port {
            session.local.set_port(port);
        }
        info!(session = session.id, remote = %session.remote, "client named by XCLIENT");
        match context.authenticated_as {
            Some(_) => Answer::Authenticated,
            None => Answer::Proceed(None),
        }
    }

    async fn helo(&mut self, kind: Helo, name: Box<str>) -> Answer {
        self.reset();
        Arc::make_mut(&mut self.context).helo = Some((kind, name));
        let answer = answer_of(self.ask(Event::Helo).await);
        if !matches!(answer, Answer::Proceed(_)) {
            Arc::make_mut(&mut self.context).helo = None;
        }
        answer
    }

    async fn mail(&mut self, sender: ReversePath, parameters: MailParameters) -> Answer {
        self.reset();
        self.pipeline.begin_transaction();
        Arc::make_mut(&mut self.context).transaction = Some(Transaction {
            id: id::next(),
            sender,
            parameters,
            recipients: Vec::new(),
            candidate: None,
        });
        let answer = answer_of(self.ask(Event::Mail).await);
        if !matches!(answer, Answer::Proceed(_)) {
            self.reset();
        }
        answer
    }

    async fn rcpt(&mut self, recipient: ForwardPath, parameters: Vec<Parameter>) -> Answer {
        self.set_candidate(Some((recipient, parameters)));
        let decision = self.ask(Event::Rcpt).await;
        let candidate = self.set_candidate(None);
        let (Decision::Pass, Some((recipient, parameters))) = (&decision, candidate) else {
            return answer_of(decision);
        };
        match self.offer(&recipient, &parameters).await {
            Ok(acceptance) => {
                if let Some(transaction) = &mut Arc::make_mut(&mut self.context).transaction {
                    transaction.recipients.push(recipient);
                }
                Answer::Proceed(Some(acceptance))
            }
            Err(refusal) => Answer::Refuse(refusal),
        }
    }

    fn set_candidate(
        &mut self,
        candidate: Option<(ForwardPath, Vec<Parameter>)>,
    ) -> Option<(ForwardPath, Vec<Parameter>)> {
        let transaction = Arc::make_mut(&mut self.context).transaction.as_mut()?;
        mem::replace(&mut transaction.candidate, candidate)
    }

    /// The backend hears of the transaction with its first recipient.
    async fn offer(
        &mut self,
        recipient: &ForwardPath,
        parameters: &[Parameter],
    ) -> Result<Acceptance, Refusal> {
        let Some(transaction) = &self.context.transaction else {
            return Err(Refusal::TRY_LATER);
        };
        let at_backend = self.at_backend.get_or_insert_with(|| AtBackend {
            transaction: self
                .delivery
                .begin(transaction.sender.clone(), transaction.parameters.clone()),
            sender: transaction.sender.clone(),
            recipients: Vec::new(),
        });
        let offered = at_backend.transaction.offer(recipient, parameters).await;
        let acceptance = offered.map_err(|error| {
            note_backend(&self.context, &error);
            error.refusal()
        })?;
        at_backend.recipients.push(recipient.clone());
        Ok(acceptance)
    }

    async fn data(&mut self) -> Answer {
        self.incoming.clear();
        answer_of(self.ask(Event::Data).await)
    }

    async fn headers(&mut self) -> Answer {
        let head = self.incoming.head.take().unwrap_or_default();
        let headers = HeaderBlock::parse(head);
        if headers.named("Received").nth(MAX_HOPS).is_some() {
            return Answer::Refuse(LOOP);
        }
        Arc::make_mut(&mut self.context).message =
            Message::of_headers(headers, self.incoming.started_at);
        self.pipeline.add_later_headers(&mut self.context);
        answer_of(self.ask(Event::Headers).await)
    }

    async fn message(&mut self) -> Answer {
        let (decision, answer) = match self.incoming.spool.finish() {
            Ok(body) => {
                let given = body.clone();
                let message = &mut Arc::make_mut(&mut self.context).message;
                message.set_body(body);
                message.completed_at = id::now();
                let decision = self.ask(Event::Message).await;
                let answer = self.dispose(&decision, &given).await;
                self.log(&decision, &answer);
                self.reset();
                self.incoming.spool.recycle(given);
                return answer;
            }
            Err(error) => {
                warn!(session = self.context.session.id, %error, "cannot keep a message");
                let refusal = error.refusal();
                (Decision::Refuse(refusal.clone()), Answer::Refuse(refusal))
            }
        };
        self.log(&decision, &answer);
        self.reset();
        answer
    }
}

/// A message on its way in.
struct Incoming {
    /// The header block, until it was parsed.
    head: Option<Vec<u8>>,
    spool: Spool,
    /// When its first octets came, in seconds since 1970-01-01 UTC; 0 before.
    started_at: u32,
}

impl Incoming {
    fn clear(&mut self) {
        self.head.get_or_insert_default().clear();
        self.spool.clear();
        self.started_at = 0;
    }
}

/// A refusal of the backend is its decision; anything else is its fault.
fn note_backend(context: &Context, error: &DeliveryError) {
    let session = &context.session.id;
    match error {
        DeliveryError::Refused(_) => info!(session, %error, "not taken by the backend"),
        _ => warn!(session, %error, "backend failed"),
    }
}

fn answer_of(decision: Decision) -> Answer {
    match decision {
        Decision::Answer(acceptance) => Answer::Proceed(Some(acceptance)),
        Decision::Authenticate(_) => Answer::Authenticated,
        Decision::Disconnect(refusal) => Answer::Disconnect(refusal),
        Decision::Discard | Decision::Pass | Decision::Quarantine => Answer::Proceed(None),
        Decision::Keys(keys) => Answer::Keys(Some(keys)),
        // Until what is deferred is remembered, the refusal is said at once.
        Decision::Defer(refusal) | Decision::Refuse(refusal) => Answer::Refuse(refusal),
    }
}

/// So many Received lines are the sign of a loop (RFC 5321 §6.3).
const MAX_HOPS: usize = 100;

const LOOP: Refusal = Refusal::fixed(554, Enhanced::new(5, 4, 6), "Routing loop detected");
