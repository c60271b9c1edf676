//! A mail transaction with an SMTP or LMTP server.

mod state;

use std::mem;
use std::sync::Arc;

use postgate_proto::address::ForwardPath;
use postgate_proto::client::Protocol;
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::reply::{Acceptance, Refusal};
use tracing::debug;

use self::state::{Failed, Open, State, Step, paths};
use super::connection::{Connection, Opened};
use super::in_doubt::InDoubt;
use super::lmtp_replies::{broken, combined};
use super::server::Server;
use crate::error::DeliveryError;
use crate::message::Message;

/// One transaction. Dropped between two calls, it leaves its connection to the next transaction;
/// if a call is dropped before it ends, the connection is closed.
#[derive(Debug)]
pub(crate) struct Relay {
    server: Arc<Server>,
    state: State,
}

impl Relay {
    pub(crate) const fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            state: State::New,
        }
    }

    /// See [`BackendTransaction::offer`](crate::BackendTransaction::offer).
    pub(crate) async fn offer(
        &mut self,
        envelope: &Envelope,
        recipient: &Recipient,
    ) -> Result<Acceptance, DeliveryError> {
        let Step { next, result } = match self.take() {
            State::New => self.offer_first(envelope, recipient).await,
            State::Open(open) => self.offer_next(*open, envelope, recipient).await,
            State::Failed(failed) => self.fail(failed.error(), failed.accepted),
            State::Interrupted => Step::interrupted(),
        };
        self.state = next;
        result
    }

    /// See [`BackendTransaction::has_accepted`](crate::BackendTransaction::has_accepted).
    pub(crate) fn has_accepted(&self, path: &ForwardPath) -> bool {
        self.state.has_accepted(path)
    }

    /// See [`BackendTransaction::deliver`](crate::BackendTransaction::deliver).
    pub(crate) async fn deliver(
        &mut self,
        envelope: &Envelope,
        recipients: &[&Recipient],
        message: &Message<'_>,
    ) -> Result<Acceptance, DeliveryError> {
        if recipients.is_empty() {
            return Err(DeliveryError::NoRecipients);
        }
        let is_known = |recipient: &&Recipient| self.has_accepted(&recipient.path);
        let has_added = !recipients.iter().all(is_known);
        let state = self.take();
        let Step { next, result } = match self.prepare(state, envelope, recipients).await {
            Ok(connection) => {
                let sent = self.hand_over(connection, envelope, recipients, message);
                Step {
                    result: sent.await.inspect_err(|error| self.log_end(error)),
                    // The message, or its refusal, has ended the transaction.
                    next: State::New,
                }
            }
            Err(mut failed) => {
                if has_added {
                    failed.result = failed.result.map_err(DeliveryError::about_added);
                }
                failed
            }
        };
        self.state = next;
        result
    }

    /// Takes the state for a call, which puts the next one in its place when it ends.
    const fn take(&mut self) -> State {
        mem::replace(&mut self.state, State::Interrupted)
    }

    /// Opens the transaction with its first recipient.
    async fn offer_first(&self, envelope: &Envelope, recipient: &Recipient) -> Step {
        match self.open(envelope, &[recipient]).await {
            Err(error) => self.fail(error, Vec::new()),
            Ok((connection, Opened::Refused(refusal))) => {
                self.keep(connection, &refusal);
                self.fail(DeliveryError::Refused(refusal), Vec::new())
            }
            Ok((connection, Opened::Answered(answer))) => {
                let open = Open {
                    connection,
                    sender: envelope.sender.clone(),
                    accepted: Vec::new(),
                };
                open.answered(recipient, answer)
            }
        }
    }

    /// Names one more recipient: on another connection if the one of the transaction was pooled and
    /// does not work.
    async fn offer_next(&self, mut open: Open, envelope: &Envelope, recipient: &Recipient) -> Step {
        match open.connection.recipient(recipient).await {
            Ok(answer) => open.answered(recipient, answer),
            Err(error) if open.connection.is_reused() => {
                self.give_up(&error);
                drop(open.connection);
                self.offer_again(open.accepted, envelope, recipient).await
            }
            Err(error) => self.fail(error, paths(open.accepted)),
        }
    }

    /// Opens the transaction anew for the recipients that the server has accepted, and names one more.
    async fn offer_again(
        &self,
        accepted: Vec<Recipient>,
        envelope: &Envelope,
        recipient: &Recipient,
    ) -> Step {
        let again: Vec<_> = accepted.iter().collect();
        let mut connection = match self.reopen(None, envelope, &again).await {
            Ok(connection) => connection,
            // A refusal is about the others.
            Err(error) => return self.fail(error.about_added(), paths(accepted)),
        };
        match connection.recipient(recipient).await {
            Ok(answer) => {
                let open = Open {
                    connection,
                    sender: envelope.sender.clone(),
                    accepted,
                };
                open.answered(recipient, answer)
            }
            Err(error) => self.fail(error, paths(accepted)),
        }
    }

    /// Makes sure that the server has accepted this sender and these recipients, and no others.
    async fn prepare(
        &self,
        state: State,
        envelope: &Envelope,
        recipients: &[&Recipient],
    ) -> Result<Connection, Step> {
        let (used, accepted) = match state {
            State::New => (None, Vec::new()),
            State::Open(open) if open.is_for(envelope, recipients) => return Ok(open.connection),
            State::Open(open) => {
                let Open {
                    connection,
                    accepted,
                    ..
                } = *open;
                (Some(connection), paths(accepted))
            }
            State::Failed(failed) => return Err(self.fail(failed.error(), failed.accepted)),
            State::Interrupted => return Err(Step::interrupted()),
        };
        let reopened = self.reopen(used, envelope, recipients).await;
        reopened.map_err(|error| self.fail(error, accepted))
    }

    /// Opens the transaction anew: on the connection of the old one if it still works, or on
    /// another. The server must accept all recipients.
    async fn reopen(
        &self,
        used: Option<Connection>,
        envelope: &Envelope,
        recipients: &[&Recipient],
    ) -> Result<Connection, DeliveryError> {
        let mut reopened = None;
        if let Some(mut connection) = used {
            match connection.open(envelope, recipients).await {
                Ok(Opened::Refused(refusal)) if refusal.is_temporary() => {
                    self.retire(connection, refusal);
                }
                Ok(opened) => reopened = Some((connection, opened)),
                Err(error) => self.give_up(&error),
            }
        }
        let (connection, opened) = match reopened {
            Some(reopened) => reopened,
            None => self.open(envelope, recipients).await?,
        };
        match opened {
            Opened::Answered(Ok(_)) => Ok(connection),
            Opened::Answered(Err(refusal)) => {
                self.server.pool.put(connection);
                Err(DeliveryError::Reopened(refusal))
            }
            Opened::Refused(refusal) => {
                self.keep(connection, &refusal);
                Err(DeliveryError::Reopened(refusal))
            }
        }
    }

    /// Opens a transaction on a pooled connection, or on a new one if that fails or is refused
    /// temporarily: the cause may be the age of the connection.
    async fn open(
        &self,
        envelope: &Envelope,
        recipients: &[&Recipient],
    ) -> Result<(Connection, Opened), DeliveryError> {
        if let Some(mut connection) = self.server.pooled() {
            match connection.open(envelope, recipients).await {
                Ok(Opened::Refused(refusal)) if refusal.is_temporary() => {
                    self.retire(connection, refusal);
                }
                Ok(opened) => return Ok((connection, opened)),
                Err(error) => self.give_up(&error),
            }
        }
        let mut connection = self.server.connect().await?;
        let opened = connection.open(envelope, recipients).await?;
        Ok((connection, opened))
    }

    /// Sends the message on a connection whose transaction is open for these recipients.
    async fn hand_over(
        &self,
        mut connection: Connection,
        envelope: &Envelope,
        recipients: &[&Recipient],
        message: &Message<'_>,
    ) -> Result<Acceptance, DeliveryError> {
        // The server may have closed the connection while the client was sending the message.
        // Nothing of the message was sent yet, so that another connection can be tried.
        let answer = match connection.begin(message).await {
            Ok(answer) => answer,
            Err(error) => {
                self.give_up(&error);
                drop(connection);
                connection = self.reopen(None, envelope, recipients).await?;
                connection.begin(message).await?
            }
        };
        if let Err(refusal) = answer {
            self.keep(connection, &refusal);
            return Err(DeliveryError::Refused(refusal));
        }
        connection.send(message).await?;
        let in_doubt = InDoubt {
            backend: &self.server.peer.address,
            message,
            recipients: recipients.len(),
        };
        let result = self.result(connection, recipients).await;
        in_doubt.settle();
        result
    }

    /// Reads the reply to the message.
    async fn result(
        &self,
        mut connection: Connection,
        recipients: &[&Recipient],
    ) -> Result<Acceptance, DeliveryError> {
        match self.server.peer.protocol {
            Protocol::Smtp => {
                let answer = connection.result().await?;
                match &answer {
                    Ok(_) => self.server.pool.put(connection),
                    Err(refusal) => self.keep(connection, refusal),
                }
                answer.map_err(DeliveryError::Refused)
            }
            Protocol::Lmtp => self.answers(connection, recipients).await,
        }
    }

    /// Reads the reply for each recipient, and makes one of them.
    async fn answers(
        &self,
        mut connection: Connection,
        recipients: &[&Recipient],
    ) -> Result<Acceptance, DeliveryError> {
        let mut answers = Vec::with_capacity(recipients.len());
        let mut is_closing = false;
        for recipient in recipients {
            match connection.result().await {
                Ok(answer) => answers.push((&recipient.path, answer)),
                // It is about this recipient too, and the replies for the others may follow.
                Err(DeliveryError::Unavailable { refusal, .. }) => {
                    is_closing = true;
                    answers.push((&recipient.path, Err(refusal)));
                }
                Err(error) => return Err(broken(answers, recipients.len(), error)),
            }
        }
        // The connection is well if the server has taken the message for anybody on it.
        let is_temporary = |(_, answer): &(_, Result<_, Refusal>)| {
            answer.as_ref().is_err_and(Refusal::is_temporary)
        };
        match is_closing || answers.iter().all(is_temporary) {
            true => connection.quit(),
            false => self.server.pool.put(connection),
        }
        combined(answers)
    }

    /// Ends the transaction: every later call gets the same answer.
    fn fail(&self, error: DeliveryError, accepted: Vec<ForwardPath>) -> Step {
        self.log_end(&error);
        let failed = Failed {
            refusal: error.refusal(),
            accepted,
        };
        Step {
            next: State::Failed(failed),
            result: Err(error),
        }
    }

    /// Keeps a connection whose server has refused the transaction or the message, unless for now:
    /// that may be about the connection, and would meet every later message on it.
    fn keep(&self, connection: Connection, refusal: &Refusal) {
        match refusal.is_temporary() {
            true => connection.quit(),
            false => self.server.pool.put(connection),
        }
    }

    /// Closes a connection whose server has refused a transaction on it for now.
    fn retire(&self, connection: Connection, refusal: Refusal) {
        connection.quit();
        self.give_up(&DeliveryError::Refused(refusal));
    }

    fn log_end(&self, error: &DeliveryError) {
        debug!(backend = self.server.peer.address, %error, "transaction is over");
    }

    /// Notes that a connection was given up, and that another one is tried. If it was silent, what has
    /// happened to it may have happened to the others in the pool.
    fn give_up(&self, error: &DeliveryError) {
        if let DeliveryError::Timeout { .. } = error {
            self.server.pool.clear();
        }
        debug!(backend = self.server.peer.address, %error, "trying another connection");
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let State::Open(open) = self.take() {
            self.server.pool.put(open.connection);
        }
    }
}
