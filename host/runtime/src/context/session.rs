//! A session as it stands now.

use std::sync::Arc;

use postgate_proto::session::{Helo, Profile, Settings};

use super::facts::{Authentication, Faults, Introduction, SessionFacts, TlsFacts};
use super::message::Message;
use super::transaction::Transaction;
use crate::host_calls::HostCallLog;
use crate::store::SessionStores;

/// The facts of a session as they stand now. All plugins of the session see the same.
#[derive(Clone, Debug)]
pub struct Context {
    /// What plugins remember of the session.
    pub stores: SessionStores,
    /// Records or replays what plugins learn from outside.
    pub host_calls: HostCallLog,
    /// What rarely changes in a session.
    pub session: Arc<SessionFacts>,
    /// How the session is encrypted; `None` if it is not.
    pub tls: Option<Arc<TlsFacts>>,
    /// How the client introduced itself.
    pub introduction: Option<Introduction>,
    /// How the client has authenticated.
    pub authentication: Option<Authentication>,
    /// What plugins have set for the session: texts, keywords, verbs, parameters, mechanisms.
    pub profile: Arc<Profile>,
    /// The transaction under way.
    pub transaction: Option<Arc<Transaction>>,
    /// The message, as far as it has arrived.
    pub message: Message,
    /// The number of commands that were refused as errors of the client.
    pub errors: u32,
    /// The latest of these errors.
    pub faults: Faults,
    /// Name and value of each tag, in order.
    pub tags: Vec<(String, String)>,
}

impl Context {
    /// The facts at connect.
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

    /// The protocol as in a Received field (RFC 3848), for a client that introduced itself so.
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

    /// Forgets what the client has said, and what plugins have set for it.
    pub fn forget_client(&mut self) {
        self.stores = SessionStores::default();
        self.introduction = None;
        self.authentication = None;
        self.profile = Arc::default();
        self.faults = Faults::default();
        self.tags = Vec::new();
    }

    /// The text behind the host name in the banner.
    pub fn banner(&self) -> &str {
        self.profile.banner().unwrap_or(&self.session.banner)
    }

    /// The text behind the host name in the reply to HELO and EHLO.
    pub fn greeting(&self) -> &str {
        self.profile.greeting().unwrap_or(Settings::GREETING)
    }

    /// The name under which the client and the log know the message of the transaction under way.
    /// Empty outside of a transaction.
    pub fn message_id(&self) -> &str {
        let transaction = self.transaction.as_deref();
        let id = transaction.map_or("", |transaction| &transaction.id);
        self.message.id.as_deref().unwrap_or(id)
    }
}
