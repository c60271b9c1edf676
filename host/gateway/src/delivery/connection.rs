//! One connection to an SMTP or LMTP server: drives the protocol over a socket.
//!
//! The outer error of a result is that of the connection, which is then only good for being
//! dropped. A refusal is an inner one, and leaves the connection as it is.

use std::sync::Arc;
use std::time::Duration;

use postgate_proto::address::{Charset, ForwardPath};
use postgate_proto::client::{
    Answer, Client, ClientFault, ClientName, ClientStep, Protocol, Request, Stage,
};
use postgate_proto::parameters::MailParameters;
use postgate_proto::reply::{Acceptance, Refusal};
use tokio::time::timeout;
use tracing::debug;

use super::error::NEEDS_UTF8;
use super::stream::Stream;
use super::{DeliveryError, Envelope, Message};

/// A connection whose server has been greeted.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    client: Client,
    peer: Arc<Peer>,
    transaction: Transaction,
    buffer: Box<[u8]>,
}

/// What holds for all connections to a server.
#[derive(Debug)]
pub(super) struct Peer {
    /// How the server is called in logs.
    pub(super) address: String,
    pub(super) protocol: Protocol,
    /// By what name the gateway introduces itself.
    pub(super) name: ClientName,
    /// How long to wait for a connection, and then for its greeting.
    pub(super) connect_timeout: Duration,
    /// How long to wait for the reply to a command.
    pub(super) command_timeout: Duration,
    /// How long to wait for a part of a message to be taken, and for the reply to all of it.
    pub(super) data_timeout: Duration,
}

/// What a server says to a new transaction.
#[derive(Debug)]
pub(super) enum Opened {
    /// It takes the sender, and all recipients; or this is what it says to one that it refuses.
    Answered(Result<Acceptance, Refusal>),
    /// It does not take the sender.
    Refused(Refusal),
}

impl Connection {
    /// Waits for the greeting, and introduces the gateway.
    pub(super) async fn greet(stream: Stream, peer: Arc<Peer>) -> Result<Self, DeliveryError> {
        let mut connection = Self {
            stream,
            client: Client::new(peer.protocol, peer.name.clone()),
            transaction: Transaction::None,
            buffer: vec![0; READ_BUFFER].into(),
            peer: Arc::clone(&peer),
        };
        let hello = match peer.protocol {
            Protocol::Lmtp => Stage::Lhlo,
            Protocol::Smtp => Stage::Ehlo,
        };
        for (stage, limit) in [
            (Stage::Greeting, peer.connect_timeout),
            (hello, peer.command_timeout),
        ] {
            if let Err(refusal) = connection.accepted(stage, limit).await? {
                return Err(DeliveryError::Unavailable { stage, refusal });
            }
        }
        Ok(connection)
    }

    /// Opens a transaction, in place of one that is open already, and names recipients: all in one
    /// go where the server allows it.
    pub(super) async fn open(
        &mut self,
        envelope: &Envelope,
        recipients: &[ForwardPath],
    ) -> Result<Opened, DeliveryError> {
        let Some(parameters) = self.parameters(envelope, recipients) else {
            return Ok(Opened::Refused(NEEDS_UTF8));
        };
        let charset = match parameters.smtputf8 {
            true => Charset::Utf8,
            false => Charset::Ascii,
        };
        let before = std::mem::replace(&mut self.transaction, Transaction::Open(charset));
        if let Transaction::Open(_) = before {
            self.client.request(Request::Reset);
        }
        let sender = envelope.sender.clone();
        self.client.request(Request::Mail(sender, parameters));
        for recipient in recipients.iter().filter(|path| is_within(path, charset)) {
            self.client.request(Request::Rcpt(recipient.clone()));
        }
        if let Transaction::Open(_) = before {
            self.forgotten().await?;
        }
        let sender = self.command(Stage::Mail).await?;
        let mut all = sender.clone();
        for recipient in recipients {
            let answer = match is_within(recipient, charset) {
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
        recipient: &ForwardPath,
    ) -> Result<Result<Acceptance, Refusal>, DeliveryError> {
        if let Transaction::Open(charset) = self.transaction
            && !is_within(recipient, charset)
        {
            return Ok(Err(NEEDS_UTF8));
        }
        self.client.request(Request::Rcpt(recipient.clone()));
        self.command(Stage::Rcpt).await
    }

    /// Asks to send the message.
    pub(super) async fn data(&mut self) -> Result<Result<(), Refusal>, DeliveryError> {
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

    /// Sends the message after [`data`](Self::data). The last part of it goes out with the first
    /// [`result`](Self::result). The error may be the refusal of a server that did not wait for the
    /// end.
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
        if let Some(writer) = self.client.message() {
            writer.finish();
        }
        self.transaction = Transaction::None;
        Ok(())
    }

    /// The reply to the message; over LMTP that for the next recipient.
    pub(super) async fn result(&mut self) -> Result<Result<Acceptance, Refusal>, DeliveryError> {
        self.accepted(Stage::Message, self.peer.data_timeout).await
    }

    /// Whether the server has neither closed the connection nor said anything since.
    pub(super) fn is_quiet(&self) -> bool {
        self.stream.is_quiet()
    }

    /// Closes the connection with a word. Nobody waits for the reply, so that it does not matter
    /// whether the word arrives.
    pub(super) fn quit(self) {
        let _ = self.stream.try_write(b"QUIT\r\n");
    }

    /// What goes with MAIL: SMTPUTF8 also where a plugin has rewritten an address so that it needs
    /// it. Nothing where the server can not take the sender or the message.
    fn parameters(
        &self,
        envelope: &Envelope,
        recipients: &[ForwardPath],
    ) -> Option<MailParameters> {
        let is_needed = envelope.parameters.smtputf8 || !envelope.sender.as_str().is_ascii();
        let is_useful = recipients.iter().any(|path| !path.as_str().is_ascii());
        let is_offered = self.client.capabilities().offers("SMTPUTF8");
        (is_offered || !is_needed).then(|| MailParameters {
            smtputf8: is_offered && (is_needed || is_useful),
            ..envelope.parameters.clone()
        })
    }

    /// The reply to RSET, which a server can not refuse and go on (RFC 5321 §4.1.1.5).
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

    async fn accepted(
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
                ClientStep::Idle | ClientStep::Read => {
                    let read = self.stream.read(&mut self.buffer).await;
                    let count = read.map_err(|cause| DeliveryError::Closed { stage, cause })?;
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
            ClientStep::Idle | ClientStep::Read => return Ok(()),
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

/// What the server knows of a transaction.
#[derive(Debug)]
enum Transaction {
    None,
    /// One that it must be told to forget before the next. Addresses are in this charset.
    Open(Charset),
}

fn is_within(recipient: &ForwardPath, charset: Charset) -> bool {
    match charset {
        Charset::Ascii => recipient.as_str().is_ascii(),
        Charset::Utf8 => true,
    }
}
