//! The current facts of a session.

use std::sync::Arc;

use postgate_proto::session::{Helo, Profile, Settings};

use super::facts::{Authentication, Faults, Introduction, SessionFacts, TlsFacts};
use super::message::Message;
use super::transaction::Transaction;
use crate::host_calls::HostCallLog;
use crate::store::SessionStores;

/// The current facts of a session. All plugins of the session see the same ones.
#[derive(Clone, Debug)]
pub struct Context {
    /// The keys and values of the plugins.
    pub stores: SessionStores,
    /// Records or replays the host calls whose answers come from outside the session.
    pub host_calls: HostCallLog,
    /// The facts that hold from the start of the session.
    pub session: Arc<SessionFacts>,
    /// The facts of TLS, or `None` if the session is not encrypted.
    pub tls: Option<Arc<TlsFacts>>,
    /// The introduction of the client, or `None` before HELO and EHLO.
    pub introduction: Option<Introduction>,
    /// The authentication of the client, or `None` before it.
    pub authentication: Option<Authentication>,
    /// The texts, keywords, verbs, parameters and SASL mechanisms that plugins have set.
    pub profile: Arc<Profile>,
    /// The transaction, or `None` outside of one.
    pub transaction: Option<Arc<Transaction>>,
    /// The message, as far as it has arrived.
    pub message: Message,
    /// The number of commands that the gateway refused as errors of the client.
    pub errors: u32,
    /// The latest of these errors.
    pub faults: Faults,
    /// Name and value of each tag, in the order in which plugins set them.
    pub tags: Vec<(String, String)>,
}

impl Context {
    /// Creates the facts of a session that begins.
    pub fn new(session: Arc<SessionFacts>) -> Self {
        Self {
            stores: SessionStores::default(),
            host_calls: HostCallLog::default(),
            session,
            tls: None,
            introduction: None,
            authentication: None,
            profile: Arc::default(),
            transaction: None,
            message: Message::default(),
            errors: 0,
            faults: Faults::default(),
            tags: Vec::new(),
        }
    }

    /// The name of the protocol for the `with` clause of a Received field (RFC 3848), for a client with
    /// this introduction.
    pub fn protocol(&self, introduction: Option<&Introduction>) -> &'static str {
        let is_extended = introduction.is_some_and(|client| client.kind == Helo::Ehlo);
        match (is_extended, &self.tls, &self.authentication) {
            (true, Some(_), Some(_)) => "ESMTPSA",
            (true, Some(_), None) => "ESMTPS",
            (true, None, Some(_)) => "ESMTPA",
            (true, None, None) => "ESMTP",
            (false, _, _) => "SMTP",
        }
    }

    /// The authorization identity of the client, once it has authenticated.
    pub fn authenticated_as(&self) -> Option<&str> {
        self.authentication
            .as_ref()
            .map(|authentication| &*authentication.acts_as)
    }

    /// Discards what the client has said and what plugins have set for it. XCLIENT needs it, after
    /// which the session belongs to another client.
    pub fn forget_client(&mut self) {
        self.stores = SessionStores::default();
        self.introduction = None;
        self.authentication = None;
        self.profile = Arc::default();
        self.faults = Faults::default();
        self.tags = Vec::new();
    }

    /// The text after the host name in the banner.
    pub fn banner(&self) -> &str {
        self.profile.banner().unwrap_or(&self.session.banner)
    }

    /// The text after the host name in the reply to HELO and EHLO.
    pub fn greeting(&self) -> &str {
        self.profile.greeting().unwrap_or(Settings::GREETING)
    }

    /// The id of the message: that of the transaction, unless a plugin has set another. It is empty outside
    /// of a transaction.
    pub fn message_id(&self) -> &str {
        let transaction = self.transaction.as_deref();
        let id = transaction.map_or("", |transaction| &transaction.id);
        self.message.id.as_deref().unwrap_or(id)
    }
}
