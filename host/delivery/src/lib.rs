//! Hands mail over to the store behind the gateway, while the client waits for the answer.
//!
//! There is no queue: a recipient is offered to the backend before the client hears of it, and the
//! client is told that a message was taken only after the backend has said so.
//!
//! A message goes to a server with BDAT where it offers CHUNKING (RFC 3030), and with DATA otherwise.
//! Its octets stay as they are where the client announced BODY=BINARYMIME, which a server must offer
//! too; otherwise a lone CR or LF becomes CRLF, whichever way it goes. What the client asks for in
//! delivery status notifications (RFC 3461) is passed on to servers that offer DSN, and has no effect
//! with others.
//!
//! A connection that is to be encrypted is never used in the clear: where TLS cannot be had as the
//! operator wants it, clients are told to come back later.

mod connection;
mod deferred;
mod error;
mod greeting;
mod maildir;
mod pool;
mod relay;
mod remembered;
mod security;
mod server;
mod setup;
mod stream;
mod terms;
#[cfg(test)]
mod tests;
mod tls;
mod ttl_cache;
mod watch;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::client::Protocol;
use postgate_proto::parameters::{MailParameters, Parameter};
use postgate_proto::reply::{Acceptance, Enhanced, Refusal, Reply};

use self::deferred::Deferred;
pub use self::error::DeliveryError;
pub use self::maildir::Maildir;
use self::relay::Relay;
use self::remembered::{Fingerprint, Remembered};
use self::server::{Server, Socket};
pub use self::setup::{PasswordFault, SetupError};
pub use self::tls::TlsFailure;
pub use self::watch::{reload, watch};
use postgate_config::{Backend, BackendAddress};
use postgate_spool::Content;
use postgate_tls::Reloaded;

/// The way to the backend. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Delivery {
    store: Store,
    deferred: Arc<Deferred>,
    remembered: Arc<Remembered>,
}

impl Delivery {
    /// The way to this backend. Nothing is connected yet, but all files that connections need are
    /// read and checked. The host name is the one by which the gateway introduces itself.
    ///
    /// # Errors
    ///
    /// What the operator must mend first.
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
        Ok(Self::to(Store::Server(Arc::new(server))))
    }

    /// The way into a Maildir at this path.
    pub fn to_maildir(path: &Path, hostname: &str) -> Self {
        Self::to(Store::Maildir(Maildir::new(path, hostname)))
    }

    /// Reads certificates, authorities and the password again. New connections are made with them,
    /// unless something is wrong with any of them: then all that was before stays. Nothing where
    /// there are no such files. Reads from the disk meanwhile.
    pub fn reload(&self) -> Option<Result<Reloaded, SetupError>> {
        self.server()?.security.reload()
    }

    /// The same, but only where the files are not those of the last attempt.
    pub fn reload_changed(&self) -> Option<Result<Reloaded, SetupError>> {
        self.server()?.security.reload_changed()
    }

    /// The files that these read.
    fn files(&self) -> impl Iterator<Item = &Path> {
        let server = self.server().into_iter();
        server.flat_map(|server| server.security.files())
    }

    fn server(&self) -> Option<&Arc<Server>> {
        match &self.store {
            Store::Maildir(_) | Store::Nowhere => None,
            Store::Server(server) => Some(server),
        }
    }

    /// A way that leads nowhere: every recipient is refused for now, so that no mail is lost.
    pub fn nowhere() -> Self {
        Self::to(Store::Nowhere)
    }

    fn to(store: Store) -> Self {
        Self {
            store,
            deferred: Arc::default(),
            remembered: Arc::default(),
        }
    }

    /// The refusal that was kept for the client at this address to read at RCPT; see
    /// [`Self::refused_in_part`]. It is forgotten with that.
    pub fn take_refusal(
        &self,
        client: IpAddr,
        sender: &ReversePath,
        recipient: &ForwardPath,
    ) -> Option<Refusal> {
        self.deferred.take(client, sender, recipient)
    }

    /// What is left to do of a message after earlier attempts of its client.
    ///
    /// # Errors
    ///
    /// Where the message cannot be read to be recognised.
    pub async fn rest(
        &self,
        recipients: Vec<ForwardPath>,
        given: Given<'_>,
    ) -> Result<Rest, DeliveryError> {
        if self.remembered.is_empty() {
            return Ok(Rest {
                recipients,
                before: Vec::new(),
                message: None,
            });
        }
        let message = recognised(given).await?;
        let (before, recipients) = recipients
            .into_iter()
            .partition(|path| self.remembered.holds(&message, path));
        Ok(Rest {
            recipients,
            before,
            message: Some(message),
        })
    }

    /// The client has heard the last of a message: nothing of it is remembered any more.
    pub fn complete(&self, rest: Rest) {
        if let Some(message) = rest.message {
            for path in rest.before {
                self.remembered.forget(&message, &path);
            }
        }
    }

    /// Remembers for the next attempt of the client that all recipients have its message.
    ///
    /// # Errors
    ///
    /// Where the message cannot be read to be recognised.
    pub async fn delivered(&self, rest: Rest, given: Given<'_>) -> Result<(), DeliveryError> {
        let message = match rest.message {
            Some(message) => message,
            None => recognised(given).await?,
        };
        for path in rest.before.iter().chain(&rest.recipients) {
            self.remembered.add(&message, path);
        }
        Ok(())
    }

    /// Remembers for the next attempt of a client how policy has refused some recipients.
    pub fn refused_in_part(
        &self,
        client: IpAddr,
        sender: &ReversePath,
        refused: &[(ForwardPath, Refusal)],
    ) {
        for (path, refusal) in refused {
            self.deferred.refuse(client, sender, path, refusal);
        }
    }

    /// Begins a transaction. The backend hears of it with the first recipient.
    pub fn begin(&self, sender: ReversePath, parameters: MailParameters) -> Transaction {
        Transaction {
            envelope: Envelope { sender, parameters },
            route: match &self.store {
                Store::Maildir(maildir) => Route::Maildir(maildir.clone()),
                Store::Nowhere => Route::Nowhere,
                Store::Server(server) => {
                    let remembered = Arc::clone(&self.remembered);
                    Route::Server(Relay::new(Arc::clone(server), remembered))
                }
            },
        }
    }
}

/// The recipients of a message, and which of them have it from earlier attempts of its client.
#[derive(Debug)]
pub struct Rest {
    /// Those that do not have it.
    pub recipients: Vec<ForwardPath>,
    before: Vec<ForwardPath>,
    message: Option<Fingerprint>,
}

impl Rest {
    /// Whether everybody has the message already.
    pub const fn is_delivered(&self) -> bool {
        self.recipients.is_empty() && !self.before.is_empty()
    }

    /// How many recipients there are in all.
    pub const fn count(&self) -> usize {
        self.recipients.len() + self.before.len()
    }

    /// What a failure to deliver to the others means for the message: no refusal of it is for all
    /// where some have it.
    pub fn failure(&self, error: DeliveryError) -> DeliveryError {
        let (before, recipients) = (self.before.len(), self.count());
        match error {
            DeliveryError::Mixed { delivered, .. } => DeliveryError::Mixed {
                delivered: before + delivered,
                recipients,
            },
            DeliveryError::Refused(_) if before > 0 => DeliveryError::Mixed {
                delivered: before,
                recipients,
            },
            error => error,
        }
    }
}

async fn recognised(given: Given<'_>) -> Result<Fingerprint, DeliveryError> {
    Fingerprint::of(given).await.map_err(DeliveryError::Content)
}

/// One mail transaction with the backend. To be dropped where the client gives it up: its connection
/// then serves the next one.
#[derive(Debug)]
pub struct Transaction {
    envelope: Envelope,
    route: Route,
}

impl Transaction {
    /// Offers a recipient. The backend's own reply comes back; where it does not take the sender,
    /// the same one for each recipient.
    pub async fn offer(
        &mut self,
        recipient: &ForwardPath,
        parameters: &[Parameter],
    ) -> Result<Acceptance, DeliveryError> {
        match &mut self.route {
            Route::Maildir(_) => Ok(accepted(Enhanced::new(2, 1, 5), "Recipient ok")),
            Route::Nowhere => Err(DeliveryError::NoBackend),
            Route::Server(relay) => {
                let recipient = Recipient {
                    path: recipient.clone(),
                    parameters: parameters.to_vec(),
                };
                relay.offer(&self.envelope, recipient).await
            }
        }
    }

    /// Puts another envelope in the place of the one that the backend has accepted. It must accept
    /// every recipient again; otherwise nothing more is taken in this transaction. Recipients that it
    /// has accepted before keep their parameters; others have none.
    pub async fn amend(
        &mut self,
        sender: ReversePath,
        recipients: &[ForwardPath],
    ) -> Result<(), DeliveryError> {
        self.envelope.sender = sender;
        match &mut self.route {
            Route::Maildir(_) => Ok(()),
            Route::Nowhere => Err(DeliveryError::NoBackend),
            Route::Server(relay) => relay.amend(&self.envelope, recipients).await,
        }
    }

    /// Hands the message over. Comes back without an error only after the backend has taken it for
    /// all recipients.
    ///
    /// Over LMTP the backend may take it for some of them only. That is a temporary failure for the
    /// client, and [`Delivery::rest`] leaves out who has the message at the next attempt.
    pub async fn deliver(&mut self, message: &Message<'_>) -> Result<Acceptance, DeliveryError> {
        match &mut self.route {
            Route::Maildir(maildir) => maildir
                .store(&self.envelope.sender, message)
                .await
                .map(|()| accepted(Enhanced::new(2, 0, 0), "Message stored"))
                .map_err(DeliveryError::Store),
            Route::Nowhere => Err(DeliveryError::NoBackend),
            Route::Server(relay) => relay.deliver(&self.envelope, message).await,
        }
    }
}

/// A message that is to be handed over.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The rendered header block, with the empty line that ends it.
    pub head: &'a [u8],
    /// What follows.
    pub body: &'a Content,
    /// The same message before the gateway changed it.
    pub given: Given<'a>,
}

impl<'a> Message<'a> {
    /// A message that goes on as it came.
    pub const fn new(sender: &'a ReversePath, head: &'a [u8], body: &'a Content) -> Self {
        Self {
            head,
            body,
            given: Given { sender, head, body },
        }
    }
}

/// A message as the client gave it: what stays the same when it sends the message once more.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Where errors go.
    pub sender: &'a ReversePath,
    /// The header block.
    pub head: &'a [u8],
    /// What follows.
    pub body: &'a Content,
}

/// What the backend is told of a message beside its recipients.
#[derive(Debug)]
struct Envelope {
    sender: ReversePath,
    parameters: MailParameters,
}

/// A recipient, with what the client asked for.
#[derive(Clone, Debug)]
struct Recipient {
    path: ForwardPath,
    parameters: Vec<Parameter>,
}

#[derive(Clone, Debug)]
enum Store {
    Maildir(Maildir),
    Nowhere,
    Server(Arc<Server>),
}

#[derive(Debug)]
enum Route {
    Maildir(Maildir),
    Nowhere,
    Server(Relay),
}

/// The reply to a message that all of its recipients have from an earlier attempt.
pub fn delivered_before() -> Acceptance {
    accepted(Enhanced::new(2, 0, 0), "Delivered before")
}

/// What the gateway itself says where no backend is there to say it.
fn accepted(enhanced: Enhanced, text: &'static str) -> Acceptance {
    let reply = Reply::fixed(250, enhanced, text);
    // The code begins with 2.
    Acceptance::new(reply).expect("250 accepts")
}
