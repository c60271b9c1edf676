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
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::chunking::Chunking;
use super::peer::Peer;
use super::stream::Stream;
use super::terms::TransactionTerms;
use crate::error::{DeliveryError, NEEDS_TLS, NEEDS_UTF8, TlsFailure};
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
    pub(super) open: Option<TransactionTerms>,
    pub(super) chunking: Chunking,
    /// True for a connection that was pooled.
    is_reused: bool,
    /// When the server last answered.
    last_heard: Instant,
    pub(super) buffer: Box<[u8]>,
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
            chunking: Chunking::Unproven,
            is_reused: false,
            last_heard: Instant::now(),
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

    /// Takes the connection out of the pool: from now on, the server has less time for its answers to
    /// commands, because another connection can be tried.
    pub(super) const fn reuse(&mut self) {
        self.is_reused = true;
    }

    /// True for a connection that was pooled.
    pub(super) const fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// See [`Chunking::asks_first`].
    pub(super) fn asks_first(&self) -> bool {
        let (quiet, patience) = (self.last_heard.elapsed(), self.peer.patience.limit());
        self.chunking.asks_first(quiet, patience)
    }

    /// True if the server may take a chunk for the beginning of a command, so that the connection can
    /// only be closed.
    pub(super) fn is_doubtful(&self) -> bool {
        self.chunking == Chunking::Doubtful
    }

    /// True if the next message would ask whether the server honours BDAT, and another connection has
    /// shown that it does not.
    pub(super) fn needs_proof(&self) -> bool {
        self.chunking != Chunking::Proven
            && self.client.capabilities().offers("CHUNKING")
            && self.peer.extensions.lacks_chunking()
    }

    /// True if the server has neither closed the connection nor sent anything since its last reply.
    pub(super) fn is_quiet(&mut self) -> bool {
        !self.client.has_unread() && self.stream.is_quiet()
    }

    /// Fails if the server has closed the connection, or has sent what the next command would be
    /// mistaken to be answered by.
    pub(super) fn check_quiet(&mut self, stage: Stage) -> Result<(), DeliveryError> {
        match self.is_quiet() {
            true => Ok(()),
            false => Err(DeliveryError::Closed {
                stage,
                cause: io::ErrorKind::ConnectionAborted.into(),
            }),
        }
    }

    /// Sends QUIT and closes the connection without waiting for the reply.
    pub(super) fn quit(self) {
        if !self.is_doubtful() {
            self.stream.close_with(b"QUIT\r\n");
        }
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
    pub(super) fn keeps_tls(&self) -> bool {
        let is_final = self.peer.protocol == Protocol::Lmtp;
        let is_safe = self.is_verified() || self.stream.is_local();
        is_safe && (is_final || self.client.capabilities().offers("REQUIRETLS"))
    }

    /// True if the connection is encrypted and the certificate of the server was verified.
    fn is_verified(&self) -> bool {
        let tls = self.security.tls.as_ref();
        self.stream.tls().is_some() && tls.is_some_and(|tls| tls.is_verified)
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

    pub(super) async fn answer(
        &mut self,
        stage: Stage,
        limit: Duration,
    ) -> Result<Answer, DeliveryError> {
        // The final dot commits: from there on, no other connection may be tried.
        let is_command = stage != Stage::Message;
        let limit = match self.is_reused && is_command {
            true => limit.min(self.peer.patience.limit()),
            false => limit,
        };
        let asked = Instant::now();
        let answer = timeout(limit, self.converse(stage))
            .await
            .unwrap_or(Err(DeliveryError::Timeout { stage }))?;
        self.last_heard = Instant::now();
        if is_command {
            self.peer.patience.note(self.last_heard - asked);
        }
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
