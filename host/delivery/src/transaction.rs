//! A mail transaction with the backend.

use postgate_proto::address::ForwardPath;
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::reply::Acceptance;

use crate::error::DeliveryError;
use crate::maildir::Maildir;
use crate::message::Message;
use crate::replies;
use crate::smtp::Relay;

/// One mail transaction with the backend. Drop it to give the transaction up: its connection then
/// serves the next one.
///
/// The envelope belongs to the caller, who passes it to each call. What is kept here is what the
/// backend has accepted, which may differ once plugins have changed the envelope.
#[derive(Debug)]
pub struct BackendTransaction(pub(crate) Route);

impl BackendTransaction {
    /// Offers a recipient to the backend, and returns its reply. The first recipient opens the
    /// transaction with the sender and the parameters of the envelope, whose recipients are
    /// ignored.
    ///
    /// # Errors
    ///
    /// Fails if the backend refuses the recipient or cannot be asked. If it refuses the sender,
    /// that refusal is the error for every recipient.
    pub async fn offer(
        &mut self,
        envelope: &Envelope,
        recipient: &Recipient,
    ) -> Result<Acceptance, DeliveryError> {
        match &mut self.0 {
            Route::Maildir { accepted, .. } => {
                accepted.push(recipient.path.clone());
                Ok(replies::recipient_ok())
            }
            Route::NoBackend => Err(DeliveryError::NoBackend),
            Route::Server(relay) => relay.offer(envelope, recipient).await,
        }
    }

    /// True if the backend has accepted this recipient in this transaction, even if the envelope no
    /// longer has it.
    pub fn has_accepted(&self, path: &ForwardPath) -> bool {
        match &self.0 {
            Route::Maildir { accepted, .. } => accepted.contains(path),
            Route::NoBackend => false,
            Route::Server(relay) => relay.has_accepted(path),
        }
    }

    /// Hands over the message for these recipients. If the sender or the recipients are not those
    /// that the server has accepted, the transaction is first opened anew, and the server must
    /// accept all of them. Recipients in the envelope are ignored.
    ///
    /// # Errors
    ///
    /// Fails unless the backend has taken the message for all recipients. Over LMTP it may have
    /// taken it for some of them ([`DeliveryError::Mixed`]);
    /// after [`Delivery::failed`](crate::Delivery::failed), [`Delivery::rest`](crate::Delivery::rest)
    /// leaves those out at the next attempt. A permanent
    /// refusal is [`DeliveryError::Added`] if the envelope was refused after a recipient was added
    /// to it.
    pub async fn deliver(
        &mut self,
        envelope: &Envelope,
        recipients: &[&Recipient],
        message: &Message<'_>,
    ) -> Result<Acceptance, DeliveryError> {
        match &mut self.0 {
            Route::Maildir { maildir, .. } => maildir
                .store(&envelope.sender, message)
                .await
                .map(|()| replies::message_stored()),
            Route::NoBackend => Err(DeliveryError::NoBackend),
            Route::Server(relay) => relay.deliver(envelope, recipients, message).await,
        }
    }
}

/// The kind of backend, with what it has accepted.
#[derive(Debug)]
pub(crate) enum Route {
    Maildir {
        maildir: Maildir,
        accepted: Vec<ForwardPath>,
    },
    NoBackend,
    Server(Relay),
}
