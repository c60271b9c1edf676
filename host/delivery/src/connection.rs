//! One connection to an SMTP or LMTP server: drives the protocol over a socket.
//!
//! The outer error of a result is that of the connection, which is then only good for being
//! dropped. A refusal is an inner one, and leaves the connection as it is.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use postgate_proto::client::{
    Answer, Client, ClientFault, ClientName, ClientStep, Protocol, Request, Stage,
};
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::parameters::{Body, MailParameters};
use postgate_proto::reply::{Acceptance, Refusal};
use tokio::time::timeout;
use tracing::debug;

use super::error::{NEEDS_TLS, NEEDS_UTF8, NO_CONVERSION};
use super::security::Security;
use super::stream::Stream;
use super::terms::Terms;
use super::tls::TlsFailure;
use crate::error::DeliveryError;
use crate::message::Message;

/// A connection whose server has been greeted.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pub(crate) client: Client,
    pub(crate) peer: Arc<Peer>,
    /// What it was made with.
    pub(crate) security: Arc<Security>,
    /// Those of a transaction that the server must be told to forget before the next.
    open: Option<Terms>,
    buffer: Box<[u8]>,
}

/// What holds for all connections to a server.
#[derive(Debug)]
pub(crate) struct Peer {
    /// How the server is called in logs.
    pub(crate) address: String,
    pub(crate) protocol: Protocol,
    /// By what name the gateway introduces itself.
    pub(crate) name: ClientName,
    /// How long to wait for a connection, then for TLS, and then for its greeting.
    pub(crate) connect_timeout: Duration,
    /// How long to wait for the reply to a command.
    pub(crate) command_timeout: Duration,
    /// How long to wait for a part of a message to be taken, and for the reply to all of it.
    pub(crate) data_timeout: Duration,
}

/// What a server says to a new transaction.
#[derive(Debug)]
pub(crate) enum Opened {
    /// It takes the sender, and all recipients; or this is what it says to one that it refuses.
    Answered(Result<Acceptance, Refusal>),
    /// It does not take the sender.
    Refused(Refusal),
}

impl Connection {
    /// A connection whose server has not been greeted.
    pub(crate) fn new(
        stream: Stream,
        client: Client,
        peer: Arc<Peer>,
        security: Arc<Security>,
    ) -> Self {
        Self {
            stream,
            client,
            security,
            open: None,
            buffer: vec![0; READ_BUFFER].into(),
            peer,
        }
    }

    /// Opens a transaction, in place of one that is open already, and names recipients: all in one
    /// go where the server allows it.
    pub(crate) async fn open(
        &mut self,
        envelope: &Envelope,
        recipients: &[&Recipient],
    ) -> Result<Opened, DeliveryError> {
        let parameters = match self.parameters(envelope, recipients) {
            Ok(parameters) => parameters,
            Err(refusal) => return Ok(Opened::Refused(refusal)),
        };
        let terms = Terms::of(&parameters);
        let before = self.open.replace(terms);
        if before.is_some() {
            self.client.request(Request::Reset);
        }
        let sender = envelope.sender.clone();
        self.client.request(Request::Mail(sender, parameters));
        for recipient in recipients.iter().filter(|all| terms.permit(all)) {
            self.client.request(terms.request(recipient));
        }
        if before.is_some() {
            self.forgotten().await?;
        }
        let sender = self.command(Stage::Mail).await?;
        let mut all = sender.clone();
        for recipient in recipients {
            let answer = match terms.permit(recipient) {
                true => self.command(Stage::Rcpt).await?,
                false => Err(NEEDS_UTF8),
            };
            all = all.and(answer);
        }
        Ok(match sender {
            Ok(_) => Opened::Answered(all),
            Err(refusal) => Opened::Refused(refusal),
        })
    }

    /// Names one more recipient of the open transaction.
    pub(crate) async fn recipient(
        &mut self,
        recipient: &Recipient,
    ) -> Result<Result<Acceptance, Refusal>, DeliveryError> {
        let terms = self.open.unwrap_or_default();
        if !terms.permit(recipient) {
            return Ok(Err(NEEDS_UTF8));
        }
        self.client.request(terms.request(recipient));
        self.command(Stage::Rcpt).await
    }

    /// Begins the message: with BDAT where the server offers it, so that it need not be asked first.
    pub(crate) async fn begin(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Result<(), Refusal>, DeliveryError> {
        if !self.client.capabilities().offers("CHUNKING") {
            return self.data().await;
        }
        // The server would have shown by its answer to DATA that it is still there.
        if !self.is_quiet() {
            return Err(DeliveryError::Closed {
                stage: Stage::Message,
                cause: io::ErrorKind::ConnectionAborted.into(),
            });
        }
        let chunk = self.open.unwrap_or_default().chunk(message);
        let chunk = chunk.map_err(DeliveryError::Content)?;
        self.client.request(Request::Bdat(chunk));
        Ok(Ok(()))
    }

    /// Sends the message after [`begin`](Self::begin). The last part of it goes out with the first
    /// [`result`](Self::result). The error may be the refusal of a server that did not wait for the
    /// end.
    pub(crate) async fn send(&mut self, message: &Message<'_>) -> Result<(), DeliveryError> {
        let mut chunks = message.body.chunks();
        let mut buffered = message.head.len();
        self.write(message.head);
        while let Some(chunk) = chunks.next().map_err(DeliveryError::Content)? {
            if buffered >= WRITE_AT {
                self.flush().await?;
                buffered = 0;
            }
            self.write(chunk);
            buffered += chunk.len();
        }
        if let Some(writer) = self.client.message() {
            let finished = writer.finish().map_err(io::Error::other);
            finished.map_err(DeliveryError::Content)?;
        }
        self.open = None;
        Ok(())
    }

    /// The reply to the message; over LMTP that for the next recipient.
    pub(crate) async fn result(&mut self) -> Result<Result<Acceptance, Refusal>, DeliveryError> {
        self.accepted(Stage::Message, self.peer.data_timeout).await
    }

    /// Whether the server has neither closed the connection nor said anything since.
    pub(crate) fn is_quiet(&mut self) -> bool {
        !self.client.has_unread() && self.stream.is_quiet()
    }

    /// Closes the connection with a word. Nobody waits for the reply, so that it does not matter
    /// whether the word arrives.
    pub(crate) fn quit(self) {
        self.stream.close_with(b"QUIT\r\n");
    }

    /// What goes with MAIL: SMTPUTF8 also where a plugin has rewritten an address so that it needs
    /// it. A refusal where the server cannot take the sender or the message.
    fn parameters(
        &self,
        envelope: &Envelope,
        recipients: &[&Recipient],
    ) -> Result<MailParameters, Refusal> {
        let capabilities = self.client.capabilities();
        if envelope.parameters.body == Some(Body::BinaryMime)
            && !capabilities.take(Body::BinaryMime)
        {
            return Err(NO_CONVERSION);
        }
        let is_needed = envelope.parameters.smtputf8 || !envelope.sender.as_str().is_ascii();
        let is_useful = recipients.iter().any(|all| !all.path.as_str().is_ascii());
        let is_offered = capabilities.offers("SMTPUTF8");
        if is_needed && !is_offered {
            return Err(NEEDS_UTF8);
        }
        if envelope.parameters.value("REQUIRETLS").is_some() && !self.keeps_tls() {
            return Err(NEEDS_TLS);
        }
        Ok(MailParameters {
            smtputf8: is_offered && (is_needed || is_useful),
            ..envelope.parameters.clone()
        })
    }

    /// Whether a message that must not go over a line in the clear can go here, and will not go over
    /// one later (RFC 8689 §4.2.1). LMTP delivers for good, so that there is no later, and what goes
    /// over a Unix socket stays on this machine.
    fn keeps_tls(&self) -> bool {
        let is_last = self.peer.protocol == Protocol::Lmtp;
        let is_safe = self.is_verified() || self.stream.is_local();
        is_safe && (is_last || self.client.capabilities().offers("REQUIRETLS"))
    }

    /// Asks to send the message.
    async fn data(&mut self) -> Result<Result<(), Refusal>, DeliveryError> {
        let stage = Stage::Data;
        self.client.request(Request::Data);
        match self.answer(stage, self.peer.command_timeout).await? {
            Answer::GoAhead => Ok(Ok(())),
            Answer::Refused(refusal) => Ok(Err(refusal)),
            Answer::Accepted(acceptance) => {
                let code = acceptance.reply().code();
                Err(ClientFault::Code { stage, code }.into())
            }
        }
    }

    /// The reply to RSET, which a server cannot refuse and go on (RFC 5321 §4.1.1.5).
    async fn forgotten(&mut self) -> Result<(), DeliveryError> {
        let stage = Stage::Reset;
        match self.command(stage).await? {
            Ok(_) => Ok(()),
            Err(refusal) => Err(DeliveryError::Unavailable { stage, refusal }),
        }
    }

    async fn command(
        &mut self,
        stage: Stage,
    ) -> Result<Result<Acceptance, Refusal>, DeliveryError> {
        self.accepted(stage, self.peer.command_timeout).await
    }

    pub(crate) async fn accepted(
        &mut self,
        stage: Stage,
        limit: Duration,
    ) -> Result<Result<Acceptance, Refusal>, DeliveryError> {
        match self.answer(stage, limit).await? {
            Answer::Accepted(acceptance) => Ok(Ok(acceptance)),
            Answer::Refused(refusal) => Ok(Err(refusal)),
            Answer::GoAhead => Err(ClientFault::Code { stage, code: 354 }.into()),
        }
    }

    async fn answer(&mut self, stage: Stage, limit: Duration) -> Result<Answer, DeliveryError> {
        let answer = timeout(limit, self.converse(stage))
            .await
            .unwrap_or(Err(DeliveryError::Timeout { stage }))?;
        match answer {
            Answer::Refused(refusal) if refusal.closes() => {
                Err(DeliveryError::Unavailable { stage, refusal })
            }
            answer => Ok(answer),
        }
    }

    /// Writes and reads until the server has answered.
    async fn converse(&mut self, stage: Stage) -> Result<Answer, DeliveryError> {
        loop {
            match self.client.step()? {
                ClientStep::Answered(_, answer) => {
                    debug!(backend = self.peer.address, %stage, ?answer, "answered");
                    return Ok(answer);
                }
                ClientStep::Write(octets) => {
                    if let Err(cause) = self.stream.write_all(octets).await {
                        // What the server said before it hung up is still there to be read.
                        debug!(backend = self.peer.address, %stage, %cause, "not written");
                    }
                }
                // Whoever asked for TLS shakes hands before anything else is asked.
                ClientStep::StartTls => return Err(ClientFault::Unsolicited.into()),
                ClientStep::Idle | ClientStep::Read => {
                    let read = self.stream.read(&mut self.buffer).await;
                    // With TLS 1.3 a server looks at the gateway's certificate only now.
                    let count = read.map_err(|cause| match TlsFailure::of(&cause) {
                        Some(failure) => DeliveryError::Tls(failure),
                        None => DeliveryError::Closed { stage, cause },
                    })?;
                    self.client.receive(&self.buffer[..count]);
                }
            }
        }
    }

    fn write(&mut self, octets: &[u8]) {
        if let Some(mut writer) = self.client.message() {
            writer.write(octets);
        }
    }

    /// Writes a part of the message.
    async fn flush(&mut self) -> Result<(), DeliveryError> {
        let stage = Stage::Message;
        let answer = match self.client.step()? {
            ClientStep::Idle | ClientStep::Read | ClientStep::StartTls => return Ok(()),
            ClientStep::Answered(_, answer) => answer,
            ClientStep::Write(octets) => {
                let writing = self.stream.write_all(octets);
                match timeout(self.peer.data_timeout, writing).await {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(_)) => self.answer(stage, self.peer.command_timeout).await?,
                    Err(_) => return Err(DeliveryError::Timeout { stage }),
                }
            }
        };
        Err(match answer {
            Answer::Refused(refusal) => DeliveryError::Refused(refusal),
            Answer::Accepted(_) | Answer::GoAhead => ClientFault::Unsolicited.into(),
        })
    }
}

const READ_BUFFER: usize = 4096;
/// A part of a message goes out once it has this size, in octets.
const WRITE_AT: usize = 64 * 1024;
