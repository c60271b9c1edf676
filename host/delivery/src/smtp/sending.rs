//! Sending a message on a connection: with DATA, or with BDAT (RFC 3030).

use postgate_proto::client::{Answer, ClientFault, ClientStep, Request, Stage};
use postgate_proto::reply::{Acceptance, Refusal};
use tokio::time::timeout;
use tracing::debug;

use super::chunking::Chunking;
use super::connection::Connection;
use crate::error::DeliveryError;
use crate::message::Message;

impl Connection {
    /// Begins the message: with BDAT if the server offers it, which saves the round trip of DATA once
    /// the server has shown that it honours BDAT. A message that needs an extension that the server
    /// does not offer is refused without asking it.
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
        let mut chunk = self.open.unwrap_or_default().chunk(message);
        let first = match self.asks_first() {
            true => first_octet(message)?,
            false => None,
        };
        if let Some(octet) = first {
            if let Err(refusal) = self.prove_chunking(octet).await? {
                return Ok(Err(refusal));
            }
            chunk = chunk.without_first();
        }
        self.client.request(Request::Bdat(chunk));
        Ok(Ok(()))
    }

    /// Sends the message after [`begin`](Self::begin). The last part of it is written by the first
    /// [`result`](Self::result). The error may be the refusal of a server that did not wait for the
    /// end of the message.
    pub(super) async fn send(&mut self, message: &Message<'_>) -> Result<(), DeliveryError> {
        let mut chunks = message.body.chunks();
        let mut buffered = message.head.len();
        self.write(message.head)?;
        while let Some(chunk) = chunks.next().map_err(DeliveryError::Content)? {
            if buffered >= WRITE_AT {
                self.flush().await?;
                buffered = 0;
            }
            self.write(chunk)?;
            buffered += chunk.len();
        }
        // What the server has said by now must not become its reply to the message.
        if !self.is_quiet() {
            return Err(self.early().await);
        }
        if let Some(writer) = self.client.message() {
            writer.finish()?;
        }
        self.open = None;
        Ok(())
    }

    /// Reads the reply to the message; over LMTP, the reply for the next recipient.
    pub(super) async fn result(&mut self) -> Result<Result<Acceptance, Refusal>, DeliveryError> {
        self.accepted(Stage::Message, self.peer.data_timeout).await
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

    /// Sends the first octet of a message as a chunk of its own, and waits for the reply. A server
    /// that offers CHUNKING and does not honour BDAT would run the octets of a chunk as commands, with
    /// whatever rights the gateway has there; one octet is no command.
    ///
    /// # Errors
    ///
    /// Fails if the server does not know BDAT. Another connection can be tried, which will not use it.
    async fn prove_chunking(&mut self, octet: u8) -> Result<Result<(), Refusal>, DeliveryError> {
        let stage = Stage::FirstChunk;
        // The server may have read the octet or not, until it says so.
        self.chunking = Chunking::Doubtful;
        self.client.request(Request::FirstChunk(octet));
        let answer = self.accepted(stage, self.peer.command_timeout).await?;
        match answer {
            Ok(_) => {
                self.chunking = Chunking::Proven;
                Ok(Ok(()))
            }
            Err(refusal) if is_unknown(&refusal) => {
                self.peer
                    .extensions
                    .lose_chunking(&self.peer.address, &refusal);
                Err(DeliveryError::Unavailable { stage, refusal })
            }
            Err(refusal) => Ok(Err(refusal)),
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

    fn write(&mut self, octets: &[u8]) -> Result<(), DeliveryError> {
        match self.client.message() {
            Some(mut writer) => Ok(writer.write(octets)?),
            None => Ok(()),
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

/// The first octet of the message. Returns `None` if the message is empty.
fn first_octet(message: &Message<'_>) -> Result<Option<u8>, DeliveryError> {
    if let Some(&octet) = message.head.first() {
        return Ok(Some(octet));
    }
    let mut chunks = message.body.chunks();
    let first = chunks.next().map_err(DeliveryError::Content)?;
    Ok(first.and_then(|octets| octets.first().copied()))
}

/// The size in octets from which a part of a message is written.
const WRITE_AT: usize = 64 * 1024;

/// True if a server says that it does not know or have a command: by its code (RFC 5321 §4.2.1), or by the
/// enhanced one (RFC 3463 §3.6).
fn is_unknown(refusal: &Refusal) -> bool {
    let reply = refusal.reply();
    let enhanced = reply
        .enhanced()
        .map(|enhanced| (enhanced.class(), enhanced.subject(), enhanced.detail()));
    matches!(reply.code(), 500..=504) || matches!(enhanced, Some((5, 5, 1 | 4)))
}
