//! Questions and facts about the client: PROXY, HELO, XCLIENT, TLS, and protocol errors.

use std::io;
use std::sync::Arc;

use postgate_proto::fault::Fault;
use postgate_proto::reply::Refusal;
use postgate_proto::session::{Answer, Helo};
use postgate_proto::xclient::Xclient;
use postgate_runtime::context::{ClientError, Context, Introduction, RemoteHost, TlsFacts};
use postgate_runtime::question::{Question, ResetCause};
use postgate_runtime::verdict::Verdict;
use tracing::{debug, info};

use super::answer::answer_of;
use super::core::Handler;
use crate::clock;
use crate::error_chain::Chain;
use crate::tls::HandshakeError;

impl Handler {
    /// Asks the plugins about the PROXY header. Returns their refusal, if any.
    pub(crate) async fn proxy(&mut self) -> Option<Refusal> {
        match self.ask(Question::Proxy).await {
            Verdict::Disconnect(refused) | Verdict::Refuse(refused) => Some(refused.refusal),
            _ => None,
        }
    }

    pub(super) async fn helo(&mut self, kind: Helo, name: &str) -> Answer {
        self.end_transaction(ResetCause::Helo).await;
        self.lift_mechanism_limit();
        let introduction = Introduction {
            kind,
            name: name.into(),
        };
        self.announce_what_can_be_kept();
        let answer = answer_of(self.ask(Question::Helo(&introduction)).await);
        let is_accepted = matches!(answer, Answer::Proceed(_));
        Arc::make_mut(&mut self.context).introduction = is_accepted.then_some(introduction);
        answer
    }

    /// Announces only extensions that the backend has, as far as it is known.
    fn announce_what_can_be_kept(&mut self) {
        let extensions = self.services.delivery.extensions();
        if self.context.profile.announced() != extensions {
            let profile = &mut Arc::make_mut(&mut self.context).profile;
            Arc::make_mut(profile).announce(extensions);
        }
    }

    /// Removes the limit that a plugin has set on the mechanisms. It applies until the next HELO or EHLO.
    fn lift_mechanism_limit(&mut self) {
        if self.context.profile.limits_mechanisms() {
            let profile = &mut Arc::make_mut(&mut self.context).profile;
            Arc::make_mut(profile).lift_mechanism_limit();
        }
    }

    /// Ends the transaction, since TLS discards all knowledge of the client (RFC 3207 §4.2).
    pub(super) async fn starttls(&mut self) -> Answer {
        let answer = answer_of(self.ask(Question::StartTls).await);
        if let Answer::Proceed(_) = answer {
            self.end_transaction(ResetCause::StartTls).await;
        }
        answer
    }

    /// Takes the facts of a TLS handshake, and discards what the client sent before (RFC 3207 §4.2).
    pub fn encrypted(&mut self, facts: TlsFacts) {
        self.reset();
        let certificate = facts.client_certificate.as_ref();
        debug!(
            session = self.context.session.id,
            version = facts.version,
            cipher = facts.cipher,
            server_name = facts.server_name,
            client = certificate.map(|certificate| certificate.subject.as_str()),
            verified = certificate.map(|certificate| certificate.verified),
            resumed = facts.is_resumed,
            "encrypted"
        );
        let context = Arc::make_mut(&mut self.context);
        context.introduction = None;
        context.authentication = None;
        context.tls = Some(Arc::new(facts));
    }

    /// Logs a failed TLS handshake.
    pub(crate) fn handshake_failed(&self, error: &HandshakeError) {
        let session = &self.context.session;
        error.log(&session.id, session.remote);
    }

    /// Restarts the session with the client facts of XCLIENT, which only trusted clients may send.
    pub(super) fn xclient(&mut self, xclient: Xclient) -> Answer {
        self.reset();
        self.pipeline.begin_session();
        Arc::make_mut(&mut self.context).forget_client();
        if let Some(login) = &xclient.login
            && !login.is_empty()
        {
            self.set_identity(login);
        }
        let context = Arc::make_mut(&mut self.context);
        set_addresses(context, xclient);
        let session = &context.session;
        info!(session = session.id, remote = %session.remote, "client named by XCLIENT");
        match context.authentication {
            Some(_) => Answer::Authenticated,
            None => Answer::Proceed(None),
        }
    }

    /// Logs that the connection failed.
    pub fn connection_broke(&self, error: &io::Error) {
        let session = &self.context.session.id;
        debug!(session, error = %Chain(error), "connection broke");
    }

    /// Adds a fault of the client to the context for the plugins, and logs it. The level is info for
    /// faults about which senders ask the operator.
    pub fn record_fault(&mut self, fault: Fault) {
        self.fail_exchange(fault);
        let name = fault.name();
        if fault.is_error() {
            let faults = &mut Arc::make_mut(&mut self.context).faults;
            faults.push(ClientError {
                at: clock::unix_time(),
                fault: name,
            });
        }
        let session = &self.context.session;
        let (id, remote) = (&session.id, session.remote.ip());
        match fault {
            Fault::AuthRejected
            | Fault::AuthRequired
            | Fault::ChannelBinding
            | Fault::PlaintextBehindStartTls
            | Fault::RelayDenied => info!(session = id, %remote, fault = name, "refused"),
            _ => debug!(session = id, %remote, fault = name, "refused"),
        }
    }
}

/// Sets the addresses and the host name of XCLIENT.
fn set_addresses(context: &mut Context, xclient: Xclient) {
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
}
