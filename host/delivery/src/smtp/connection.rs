//! One connection to an SMTP or LMTP server: drives the protocol over a socket.
//!
//! In a nested result, the outer error is a failure of the connection, which must then be dropped.
//! The inner error is a refusal by the server, after which the connection can be used.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use postgate_proto::client::{Answer, Client, ClientFault, ClientStep, Protocol, Request, Stage};
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::parameters::{Body, MailParameters};
use postgate_proto::reply::{Acceptance, Refusal};
use tokio::time::timeout;
use tracing::debug;

use super::peer::Peer;
use super::stream::Stream;
use super::terms::TransactionTerms;
use crate::error::{DeliveryError, NEEDS_TLS, NEEDS_UTF8, TlsFailure};
use crate::message::Message;
use crate::security::ConnectionSecurity;

/// A connection to a server that has greeted the gateway.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) client: Client,
    pub(super) peer: Arc<Peer>,
    /// What the connection was made with.
    pub(super) security: Arc<ConnectionSecurity>,
    /// The terms of an open transaction, which RSET must end before the next one.
    open: Option<TransactionTerms>,
    buffer: Box<[u8]>,
}

impl Connection {
    /// A connection over which nothing was said, or nothing since STARTTLS.
    pub(super) fn new(
        stream: Stream,
        client: Client,
        peer: Arc<Peer>,
        security: Arc<ConnectionSecurity>,
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

    /// Opens a transaction for these recipients, after ending one that is open. Sends all commands
    /// together if the server allows it.
    pub(super) async fn open(
        &mut self,
        envelope: &Envelope,
        recipients: &[&Recipient],
    ) -> Result<Opened, DeliveryError> {
        let parameters = match self.parameters(envelope, recipients) {
            Ok(parameters) => parameters,
            Err(refusal) => return Ok(Opened::Refused(refusal)),
        };
        self.check_quiet(Stage::Mail)?;
        let terms = TransactionTerms::of(&parameters, &envelope.parameters);
        let previous = self.open.replace(terms);
        if previous.is_some() {
            self.client.request(Request::Reset);
        }
        let sender = envelope.sender.clone();
        self.client.request(Request::Mail(sender, parameters));
        for recipient in recipients
            .iter()
            .filter(|recipient| terms.permit(recipient))
        {
            self.client.request(terms.request(recipient));
        }
        if previous.is_some() {
            self.reset().await?;
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
    pub(super) async fn recipient(
        &mut self,
        recipient: &Recipient,
    ) -> Result<Result<Acceptance, Refusal>, DeliveryError> {
        let terms = self.open.unwrap_or_default();
        if !terms.permit(recipient) {
            return Ok(Err(NEEDS_UTF8));
        }
        self.check_quiet(Stage::Rcpt)?;
        self.client.request(terms.request(recipient));
        self.command(Stage::Rcpt).await
    }

    /// Begins the message: with BDAT if the server offers it, which saves the round trip of DATA. A
    /// message that needs an extension that the server does not offer is refused without asking it.
    pub(super) async fn begin(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Result<(), Refusal>, DeliveryError> {
        self.check_quiet(Stage::Message)?;
        let unmet = self.open.unwrap_or_default().unmet(message).await;
        if let Some(refusal) = unmet.map_err(DeliveryError::Content)? {
            return Ok(Err(refusal));
        }
        if !self.client.capabilities().offers("CHUNKING") {
            return self.data().await;
        }
        let chunk = self.open.unwrap_or_default().chunk(message);
        let chunk = chunk.map_err(DeliveryError::Content)?;
        self.client.request(Request::Bdat(chunk));
        Ok(Ok(()))
    }

    /// Sends the message after [`begin`](Self::begin). The last part of it is written by the first
    /// [`result`](Self::result). The error may be the refusal of a server that did not wait for the
    /// end of the message.
    pub(super) async fn send(&mut self, message: &Message<'_>) -> Result<(), DeliveryError> {
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
        // What the server has said by now must not become its reply to the message.
        if !self.is_quiet() {
            return Err(self.early().await);
        }
        if let Some(writer) = self.client.message() {
            let finished = writer.finish().map_err(io::Error::other);
            finished.map_err(DeliveryError::Content)?;
        }
        self.open = None;
        Ok(())
    }

    /// Reads the reply to the message; over LMTP, the reply for the next recipient.
    pub(super) async fn result(&mut self) -> Result<Result<Acceptance, Refusal>, DeliveryError> {
        self.accepted(Stage::Message, self.peer.data_timeout).await
    }

    /// True if the server has neither closed the connection nor sent anything since its last reply.
    pub(super) fn is_quiet(&mut self) -> bool {
        !self.client.has_unread() && self.stream.is_quiet()
    }

    /// Fails if the server has closed the connection, or has sent what the next command would be
    /// mistaken to be answered by.
    fn check_quiet(&mut self, stage: Stage) -> Result<(), DeliveryError> {
        match self.is_quiet() {
            true => Ok(()),
            false => Err(DeliveryError::Closed {
                stage,
                cause: io::ErrorKind::ConnectionAborted.into(),
            }),
        }
    }

    /// Reads what the server has sent before the end of the message, of which no more is sent: the
    /// refusal of a server that did not wait, or a violation of the protocol.
    async fn early(&mut self) -> DeliveryError {
        let stage = Stage::Message;
        let read = self.stream.read(&mut self.buffer);
        match timeout(self.peer.command_timeout, read).await {
            Ok(Ok(count)) => self.client.receive(&self.buffer[..count]),
            Ok(Err(cause)) => return DeliveryError::Closed { stage, cause },
            Err(_) => return DeliveryError::Timeout { stage },
        }
        match self.answer(stage, self.peer.command_timeout).await {
            Ok(Answer::Refused(refusal)) => DeliveryError::Refused(refusal),
            Ok(Answer::Accepted(_) | Answer::GoAhead) => ClientFault::Unsolicited.into(),
            Err(error) => error,
        }
    }

    /// Sends QUIT and closes the connection without waiting for the reply.
    pub(super) fn quit(self) {
        self.stream.close_with(b"QUIT\r\n");
    }

    /// The parameters of MAIL, with SMTPUTF8 also if a plugin has rewritten an address so that it
    /// needs it. Without an extension that the client has asked for and the server does not offer:
    /// whether the message needs it is known when it is there. Fails if the server cannot accept the
    /// sender.
    fn parameters(
        &self,
        envelope: &Envelope,
        recipients: &[&Recipient],
    ) -> Result<MailParameters, Refusal> {
        let capabilities = self.client.capabilities();
        let is_needed = !envelope.sender.as_str().is_ascii();
        let is_useful = envelope.parameters.smtputf8
            || recipients
                .iter()
                .any(|recipient| !recipient.path.as_str().is_ascii());
        let is_offered = capabilities.offers("SMTPUTF8");
        if is_needed && !is_offered {
            return Err(NEEDS_UTF8);
        }
        let body = match envelope.parameters.body {
            Some(Body::BinaryMime) if !capabilities.take(Body::BinaryMime) => {
                Some(Body::EightBitMime)
            }
            body => body,
        };
        if envelope.parameters.value("REQUIRETLS").is_some() && !self.keeps_tls() {
            return Err(NEEDS_TLS);
        }
        Ok(MailParameters {
            body,
            smtputf8: is_offered && (is_needed || is_useful),
            ..envelope.parameters.clone()
        })
    }

    /// True if a message that requires TLS is encrypted on this connection and on every later one
    /// (RFC 8689 §4.2.1). LMTP is the final delivery, so that there is no later one, and a Unix
    /// socket does not leave this machine.
    fn keeps_tls(&self) -> bool {
        let is_final = self.peer.protocol == Protocol::Lmtp;
        let is_safe = self.is_verified() || self.stream.is_local();
        is_safe && (is_final || self.client.capabilities().offers("REQUIRETLS"))
    }

    /// True if the connection is encrypted and the certificate of the server was verified.
    fn is_verified(&self) -> bool {
        let tls = self.security.tls.as_ref();
        self.stream.tls().is_some() && tls.is_some_and(|tls| tls.is_verified)
    }

    /// Sends DATA.
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

    /// Reads the reply to RSET. A server that refuses it cannot be used (RFC 5321 §4.1.1.5).
    async fn reset(&mut self) -> Result<(), DeliveryError> {
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

    /// Reads the reply to a command that 354 is no answer to.
    pub(super) async fn accepted(
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
            // After 521, which is permanent, servers need not close the connection (RFC 7504 §3).
            Answer::Refused(refusal) if refusal.reply().code() == 421 => {
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
                        // What the server has sent before it closed the connection can still be
                        // read.
                        debug!(backend = self.peer.address, %stage, %cause, "not written");
                    }
                }
                // The handshake follows STARTTLS before any other request.
                ClientStep::StartTls => return Err(ClientFault::Unsolicited.into()),
                ClientStep::Idle | ClientStep::Read => {
                    let read = self.stream.read(&mut self.buffer).await;
                    // With TLS 1.3, a server may reject the gateway's certificate after the
                    // handshake.
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
        if !self.is_quiet() {
            return Err(self.early().await);
        }
        let stage = Stage::Message;
        let answer = match self.client.step()? {
            ClientStep::Idle | ClientStep::Read | ClientStep::StartTls => return Ok(()),
            ClientStep::Answered(_, answer) => answer,
            ClientStep::Write(octets) => {
                let writing = self.stream.write_all(octets);
                match timeout(self.peer.data_timeout, writing).await {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(cause)) => {
                        debug!(backend = self.peer.address, %stage, %cause, "not written");
                        self.answer(stage, self.peer.command_timeout).await?
                    }
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

/// The answer to a new transaction.
#[derive(Debug)]
pub(super) enum Opened {
    /// The server has accepted the sender, and all recipients or not.
    Answered(Result<Acceptance, Refusal>),
    /// The server has refused the sender.
    Refused(Refusal),
}

const READ_BUFFER: usize = 4096;
/// The size in octets from which a part of a message is written.
const WRITE_AT: usize = 64 * 1024;
