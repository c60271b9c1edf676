//! The backend as the gateway uses it.

use std::path::Path;
use std::sync::Arc;

use postgate_config::{Backend, BackendAddress};
use postgate_proto::address::ForwardPath;
use postgate_proto::client::{Capabilities, Protocol};
use postgate_proto::envelope::Recipient;
use postgate_proto::parameters::Extensions;
use postgate_proto::reply::Refusal;
use postgate_tls::Reloaded;
use tracing::warn;

use crate::error::{DeliveryError, SetupError};
use crate::maildir::Maildir;
use crate::memory::{DeferredRefusals, Fingerprint, Standing, UnfinishedAttempts};
use crate::rest::{Announced, Attempt, Rest};
use crate::smtp::{Relay, Server, Socket};
use crate::transaction::{BackendTransaction, Route};

/// Delivers to one backend. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Delivery {
    store: Store,
    deferred: Arc<DeferredRefusals>,
    unfinished: Arc<UnfinishedAttempts>,
}

impl Delivery {
    /// Prepares deliveries to this backend, to which the gateway introduces itself by this host
    /// name. Reads and checks all files that connections need, but does not connect yet.
    ///
    /// # Errors
    ///
    /// Fails if a file or a setting cannot be used.
    pub fn new(backend: &Backend, hostname: &str) -> Result<Self, SetupError> {
        let (protocol, socket) = match &backend.address {
            BackendAddress::Lmtp(address) => (Protocol::Lmtp, Socket::Tcp(address.clone())),
            BackendAddress::LmtpUnix(path) => (Protocol::Lmtp, Socket::Unix(path.clone())),
            BackendAddress::Maildir(path) => {
                return Ok(Self::to_maildir(path, hostname));
            }
            BackendAddress::Smtp(address) => (Protocol::Smtp, Socket::Tcp(address.clone())),
            BackendAddress::SmtpUnix(path) => (Protocol::Smtp, Socket::Unix(path.clone())),
        };
        let server = Server::new(backend, protocol, socket, hostname)?;
        Ok(Self::with_store(Store::Server(Arc::new(server))))
    }

    /// Delivers into the Maildir at this path.
    pub fn to_maildir(path: &Path, hostname: &str) -> Self {
        Self::with_store(Store::Maildir(Maildir::new(path, hostname)))
    }

    /// Delivers nowhere: every recipient is refused temporarily, so that no mail is lost.
    pub fn without_backend() -> Self {
        Self::with_store(Store::NoBackend)
    }

    fn with_store(store: Store) -> Self {
        Self {
            store,
            deferred: Arc::default(),
            unfinished: Arc::default(),
        }
    }

    /// Begins a transaction. The backend hears of it with the first recipient.
    pub fn begin(&self) -> BackendTransaction {
        BackendTransaction(match &self.store {
            Store::Maildir(maildir) => Route::Maildir {
                maildir: maildir.clone(),
                accepted: Vec::new(),
            },
            Store::NoBackend => Route::NoBackend,
            Store::Server(server) => Route::Server(Relay::new(Arc::clone(server))),
        })
    }

    /// The extensions that the gateway can announce to clients, because the backend offered them on the
    /// newest connection to it or need not know them. Before the first connection, all of them.
    pub fn extensions(&self) -> Extensions {
        let server = self.server();
        server.map_or(Extensions::ALL, |server| server.announced())
    }

    /// Finds out which recipients still have to get the message, after earlier attempts of the
    /// client.
    ///
    /// # Errors
    ///
    /// Fails if the message cannot be read.
    pub async fn rest<'a>(&self, attempt: Attempt<'a>) -> Result<Rest<'a>, DeliveryError> {
        let mut message = None;
        if !self.unfinished.is_empty() {
            let known = Fingerprint::of(attempt.message).await;
            let known = known.map_err(DeliveryError::Content)?;
            let is_retry = self.unfinished.is_retry(&known, attempt.named());
            message = is_retry.then_some(known);
        }
        let has_message = |recipient: &&Recipient| {
            let message = message.as_ref();
            message.is_some_and(|message| self.unfinished.is_delivered(message, &recipient.path))
        };
        let (delivered, recipients) = attempt.recipients.iter().partition(has_message);
        Ok(Rest {
            attempt,
            recipients,
            delivered,
            message,
        })
    }

    /// True if [`rest`](Self::rest) may need to know whom else the client has named.
    pub fn remembers_attempts(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// Forgets who has the message: the client is told that all have it, and does not come again.
    pub fn complete(&self, rest: &Rest<'_>) {
        if let Some(message) = &rest.message {
            for path in rest.attempt.named() {
                self.unfinished.remove(message, path);
            }
        }
    }

    /// Remembers for the next attempt of the client that all recipients have its message, and that
    /// these others are refused, by policy.
    pub async fn delivered(&self, rest: &Rest<'_>, refused: &[(ForwardPath, Refusal)]) {
        let has = rest.attempt.recipients.iter();
        let has = has.map(|recipient| (&recipient.path, Standing::Delivered));
        let waits = refused.iter().map(|(path, _)| (path, Standing::Waiting));
        self.note(rest, has.chain(waits)).await;
    }

    /// Remembers what became of the message where the delivery failed with this error: who has it,
    /// and who was refused for good although the client is asked to try again. Returns the error to
    /// report.
    pub async fn failed(&self, rest: &Rest<'_>, error: DeliveryError) -> DeliveryError {
        let mixed = match rest.mixed(error) {
            Ok(mixed) => mixed,
            Err(error) => return error,
        };
        let announced = rest.attempt.announced();
        for (path, refusal) in mixed.refused_permanently() {
            self.deferred.add(announced, path, refusal);
        }
        if !mixed.delivered.is_empty() {
            let standings = rest.attempt.recipients.iter().map(|recipient| {
                let standing = match mixed.delivered.contains(&recipient.path) {
                    true => Standing::Delivered,
                    false => Standing::Waiting,
                };
                (&recipient.path, standing)
            });
            let others = rest.attempt.others.iter();
            let others = others.map(|path| (*path, Standing::Waiting));
            self.note(rest, standings.chain(others)).await;
        }
        DeliveryError::Mixed(mixed)
    }

    async fn note<'a>(
        &self,
        rest: &Rest<'_>,
        standings: impl Iterator<Item = (&'a ForwardPath, Standing)> + Send,
    ) {
        let message = match &rest.message {
            Some(message) => Ok(message.clone()),
            None => Fingerprint::of(rest.attempt.message).await,
        };
        match message {
            Ok(message) => standings
                .for_each(|(path, standing)| self.unfinished.note(&message, path, standing)),
            Err(error) => warn!(
                %error,
                "a message cannot be read, and its recipients may get it twice"
            ),
        }
    }

    /// Remembers the refusals of policy for some recipients, for the next attempt of the client.
    pub fn refused_in_part(&self, announced: Announced<'_>, refused: &[(ForwardPath, Refusal)]) {
        for (path, refusal) in refused {
            self.deferred.add(announced, path, refusal);
        }
    }

    /// Removes and returns the refusal that [`refused_in_part`](Self::refused_in_part) or
    /// [`failed`](Self::failed) has kept for this recipient. The client is to read it in the reply to
    /// RCPT.
    pub fn take_refusal(
        &self,
        announced: Announced<'_>,
        recipient: &ForwardPath,
    ) -> Option<Refusal> {
        self.deferred.take(announced, recipient)
    }

    /// Ends unused connections to the backend with QUIT, and others when their transactions end. To be
    /// called when the gateway stops.
    pub fn close(&self) {
        if let Some(server) = self.server() {
            server.close();
        }
    }

    /// What the backend has offered on the newest connection, without the extensions that are switched
    /// off or that it was found not to honour. Returns `None` before the first connection, and for a
    /// backend without extensions, such as a Maildir, which takes any message.
    pub fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.server()?.capabilities()
    }

    /// Reads certificates, authorities and the password again, for new connections. If any of them
    /// cannot be used, all of the old ones stay in use. Blocks while it reads the files. Returns
    /// `None` if the backend has no such files.
    pub fn reload(&self) -> Option<Result<Reloaded, SetupError>> {
        self.server()?.security.reload()
    }

    /// Does what [`reload`](Self::reload) does, if the files have changed since the last attempt.
    /// Returns `None` if they have not.
    pub fn reload_changed(&self) -> Option<Result<Reloaded, SetupError>> {
        self.server()?.security.reload_changed()
    }

    /// The files that a reload reads.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let server = self.server().into_iter();
        server.flat_map(|server| server.security.files())
    }

    pub(crate) fn server(&self) -> Option<&Arc<Server>> {
        match &self.store {
            Store::Maildir(_) | Store::NoBackend => None,
            Store::Server(server) => Some(server),
        }
    }
}

#[derive(Clone, Debug)]
enum Store {
    Maildir(Maildir),
    NoBackend,
    Server(Arc<Server>),
}
