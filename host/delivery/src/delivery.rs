//! The backend as the gateway uses it.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use postgate_config::{Backend, BackendAddress};
use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::client::Protocol;
use postgate_proto::envelope::Envelope;
use postgate_proto::reply::Refusal;
use postgate_tls::Reloaded;

use crate::error::{DeliveryError, SetupError};
use crate::maildir::Maildir;
use crate::memory::{DeferredRefusals, DeliveredRecipients, Fingerprint};
use crate::message::OriginalMessage;
use crate::rest::Rest;
use crate::smtp::{Relay, Server, Socket};
use crate::transaction::{BackendTransaction, Route};

/// Delivers to one backend. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Delivery {
    store: Store,
    deferred: Arc<DeferredRefusals>,
    delivered: Arc<DeliveredRecipients>,
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
            delivered: Arc::default(),
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
            Store::Server(server) => {
                let delivered = Arc::clone(&self.delivered);
                Route::Server(Relay::new(Arc::clone(server), delivered))
            }
        })
    }

    /// Finds out which recipients of the envelope still have to get the message, after earlier
    /// attempts of the client.
    ///
    /// # Errors
    ///
    /// Fails if the message cannot be read.
    pub async fn rest<'a>(
        &self,
        envelope: &'a Envelope,
        original: OriginalMessage<'_>,
    ) -> Result<Rest<'a>, DeliveryError> {
        let recipients = envelope.recipients.iter();
        if self.delivered.is_empty() {
            return Ok(Rest {
                recipients: recipients.collect(),
                delivered: Vec::new(),
                message: None,
            });
        }
        let message = fingerprint(original).await?;
        let (delivered, recipients) =
            recipients.partition(|recipient| self.delivered.contains(&message, &recipient.path));
        Ok(Rest {
            recipients,
            delivered,
            message: Some(message),
        })
    }

    /// Forgets who has the message: the client has got the final reply to it.
    pub fn complete(&self, rest: Rest<'_>) {
        if let Some(message) = rest.message {
            for recipient in rest.delivered {
                self.delivered.remove(&message, &recipient.path);
            }
        }
    }

    /// Remembers for the next attempt of the client that all recipients have its message.
    ///
    /// # Errors
    ///
    /// Fails if the message cannot be read.
    pub async fn delivered(
        &self,
        rest: Rest<'_>,
        original: OriginalMessage<'_>,
    ) -> Result<(), DeliveryError> {
        let message = match rest.message {
            Some(message) => message,
            None => fingerprint(original).await?,
        };
        for recipient in rest.delivered.iter().chain(&rest.recipients) {
            self.delivered.add(&message, &recipient.path);
        }
        Ok(())
    }

    /// Remembers the refusals of policy for some recipients, for the next attempt of the client.
    pub fn refused_in_part(
        &self,
        client: IpAddr,
        sender: &ReversePath,
        refused: &[(ForwardPath, Refusal)],
    ) {
        for (path, refusal) in refused {
            self.deferred.add(client, sender, path, refusal);
        }
    }

    /// Removes and returns the refusal that [`refused_in_part`](Self::refused_in_part) has kept for
    /// this recipient. The client is to read it in the reply to RCPT.
    pub fn take_refusal(
        &self,
        client: IpAddr,
        sender: &ReversePath,
        recipient: &ForwardPath,
    ) -> Option<Refusal> {
        self.deferred.take(client, sender, recipient)
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

async fn fingerprint(original: OriginalMessage<'_>) -> Result<Fingerprint, DeliveryError> {
    Fingerprint::of(original)
        .await
        .map_err(DeliveryError::Content)
}
