//! One connection to a server.

use std::collections::VecDeque;
use std::fmt;

use memchr::memchr;
use zeroize::Zeroize as _;

use crate::client::body::BodyEncoder;
use crate::client::capabilities::Capabilities;
use crate::client::encoder::Encoder;
use crate::client::fault::ClientFault;
use crate::client::message::MessageWriter;
use crate::client::phase::Phase;
use crate::client::request::{ClientName, Request};
use crate::client::stage::{Answer, MAX_REPLY_LINE, Protocol, Stage};
use crate::reply::{Reply, ReplyParser};

/// One connection to a server, from its greeting on.
///
/// The client introduces itself without being asked to. The driver then alternates: it queues
/// requests, and calls [`step`](Self::step) until the client is [`Idle`](ClientStep::Idle).
pub struct Client {
    protocol: Protocol,
    name: ClientName,
    capabilities: Capabilities,
    phase: Phase,
    /// Not yet sent.
    queue: VecDeque<Request>,
    /// Sent, and not yet answered.
    pending: VecDeque<Stage>,
    /// How many recipients the server has accepted in this transaction.
    recipients: usize,
    input: Vec<u8>,
    parser: ReplyParser,
    /// Whether the server knows who the client is.
    is_authenticated: bool,
    output: Vec<u8>,
    /// The output that the driver was given last.
    written: Vec<u8>,
}

impl Client {
    /// A client that waits for the greeting of the server, and then introduces itself by this name.
    pub fn new(protocol: Protocol, name: ClientName) -> Self {
        Self {
            protocol,
            name,
            capabilities: Capabilities::default(),
            phase: Phase::Commands,
            queue: VecDeque::new(),
            pending: VecDeque::from([Stage::Greeting]),
            recipients: 0,
            input: Vec::new(),
            parser: ReplyParser::default(),
            is_authenticated: false,
            output: Vec::new(),
            written: Vec::new(),
        }
    }

    /// The client after the handshake that [`ClientStep::StartTls`] asks for. It introduces itself
    /// once more. Of what the server said in the clear nothing is left, neither what it offered nor
    /// octets that were not read yet (RFC 3207 §4.2).
    #[must_use]
    pub fn encrypted(self) -> Self {
        let mut client = Self::new(self.protocol, self.name.clone());
        client.pending.clear();
        client.introduce();
        client
    }

    /// Queues a request. Requests go out together where the server allows it (RFC 2920), one by one
    /// otherwise.
    pub fn request(&mut self, request: Request) {
        self.queue.push_back(request);
        self.send();
    }

    /// Where the message goes, once the server has asked for it with 354 or BDAT needs no asking, and
    /// until it is finished.
    pub const fn message(&mut self) -> Option<MessageWriter<'_>> {
        match self.phase {
            Phase::Auth(_) | Phase::Commands | Phase::Handshake => None,
            Phase::Message(_) => Some(MessageWriter {
                protocol: self.protocol,
                phase: &mut self.phase,
                pending: &mut self.pending,
                recipients: &mut self.recipients,
                output: &mut self.output,
            }),
        }
    }

    /// Takes what the server has sent, however it was cut.
    pub fn receive(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
    }

    /// Says what to do next. After a fault the connection is only good for closing.
    pub fn step(&mut self) -> Result<ClientStep<'_>, ClientFault> {
        if let Phase::Handshake = self.phase {
            return Ok(ClientStep::StartTls);
        }
        loop {
            self.send();
            if !self.output.is_empty() {
                std::mem::swap(&mut self.output, &mut self.written);
                self.output.clear();
                return Ok(ClientStep::Write(&self.written));
            }
            let Some(reply) = self.reply()? else {
                return Ok(match self.pending.is_empty() {
                    true => ClientStep::Idle,
                    false => ClientStep::Read,
                });
            };
            if let Some((stage, answer)) = self.answered(reply)? {
                return Ok(ClientStep::Answered(stage, answer));
            }
        }
    }

    /// Whether the server has said something that was not looked at yet.
    pub const fn has_unread(&self) -> bool {
        !self.input.is_empty()
    }

    /// What the server offers; nothing before it has answered EHLO.
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Moves requests from the queue to the output, as far as the server allows it now.
    fn send(&mut self) {
        while self.may_send()
            && let Some(request) = self.queue.pop_front()
        {
            if let Request::Auth(authentication) = request {
                let (line, exchange) = authentication.begin();
                self.write_secret(&line);
                self.phase = Phase::Auth(exchange);
                self.pending.push_back(Stage::Auth);
                continue;
            }
            request.write(&self.capabilities, self.is_authenticated, &mut self.output);
            match request {
                Request::Bdat(chunk) => self.phase = Phase::Message(Encoder::Chunk(chunk)),
                request => self.pending.push_back(request.stage()),
            }
        }
    }

    /// Only MAIL, RCPT and RSET may be followed by another command before they are answered
    /// (RFC 2920 §3.1). A message is not sent before it is known who gets it.
    fn may_send(&self) -> bool {
        match (&self.phase, self.pending.back()) {
            (Phase::Auth(_) | Phase::Handshake | Phase::Message(_), _) => false,
            (Phase::Commands, None) => true,
            (Phase::Commands, Some(Stage::Mail | Stage::Rcpt | Stage::Reset)) => {
                self.pending.len() < MAX_PENDING
                    && self.capabilities.offers("PIPELINING")
                    && !matches!(
                        self.queue.front(),
                        Some(Request::Auth(_) | Request::Bdat(_) | Request::StartTls)
                    )
            }
            (Phase::Commands, Some(_)) => false,
        }
    }

    /// The next whole reply in the input.
    fn reply(&mut self) -> Result<Option<Reply>, ClientFault> {
        let is_expected = !self.pending.is_empty() || matches!(self.phase, Phase::Message(_));
        if !is_expected && !self.input.is_empty() {
            return Err(ClientFault::Unsolicited);
        }
        let mut taken = 0;
        let mut reply = None;
        while reply.is_none()
            && let Some(length) = memchr(b'\n', &self.input[taken..])
        {
            let line = &self.input[taken..taken + length];
            if length >= MAX_REPLY_LINE {
                return Err(ClientFault::Malformed);
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            reply = self.parser.line(line).map_err(|_| ClientFault::Malformed)?;
            taken += length + 1;
        }
        self.input.drain(..taken);
        match reply {
            None if self.input.len() >= MAX_REPLY_LINE => Err(ClientFault::Malformed),
            reply => Ok(reply),
        }
    }

    /// Finds out what a reply answers. Nothing where the client deals with it by itself.
    fn answered(&mut self, reply: Reply) -> Result<Option<(Stage, Answer)>, ClientFault> {
        // Where nothing is pending the message is being sent, and the server does not wait for its
        // end.
        let (stage, is_early) = match self.pending.pop_front() {
            Some(stage) => (stage, false),
            None => (Stage::Message, true),
        };
        let code = reply.code();
        if stage == Stage::Auth {
            self.written.zeroize();
        }
        if let Phase::Auth(exchange) = &mut self.phase
            && code == 334
        {
            let response = exchange.respond(reply.lines().next().unwrap_or_default())?;
            self.write_secret(&response);
            self.pending.push_front(stage);
            return Ok(None);
        }
        let answer = Answer::new(stage, reply).ok_or(ClientFault::Code { stage, code })?;
        match (&answer, stage) {
            (Answer::Accepted(_), Stage::Message) if is_early => {
                return Err(ClientFault::Unsolicited);
            }
            (Answer::Accepted(_), Stage::Greeting) => self.introduce(),
            (Answer::Accepted(acceptance), Stage::Ehlo | Stage::Lhlo) => {
                self.capabilities = Capabilities::parse(acceptance.reply());
            }
            (Answer::Accepted(_), Stage::Auth) => {
                if let Phase::Auth(exchange) = self.take_phase() {
                    exchange.accepted()?;
                }
                self.is_authenticated = true;
            }
            (Answer::Refused(_), Stage::Auth) => self.phase = Phase::Commands,
            (Answer::Accepted(_), Stage::StartTls) if !self.input.is_empty() => {
                return Err(ClientFault::Unsolicited);
            }
            (Answer::Accepted(_), Stage::StartTls) => self.phase = Phase::Handshake,
            (Answer::Accepted(_), Stage::Mail | Stage::Reset) => self.recipients = 0,
            (Answer::Accepted(_), Stage::Rcpt) => self.recipients += 1,
            (Answer::GoAhead, _) => {
                self.phase = Phase::Message(Encoder::Data(BodyEncoder::new()));
            }
            (Answer::Refused(refusal), Stage::Ehlo) if !refusal.is_temporary() => {
                self.queue.push_front(Request::Helo(self.name.clone()));
                return Ok(None);
            }
            (Answer::Accepted(_) | Answer::Refused(_), _) => {}
        }
        Ok(Some((stage, answer)))
    }

    /// Back to commands. Gives what the phase was.
    const fn take_phase(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Commands)
    }

    /// Writes a line, of which no copy stays behind.
    fn write_secret(&mut self, line: &str) {
        // A buffer that grows would leave its old octets where they were.
        self.output.reserve(line.len() + 2);
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    fn introduce(&mut self) {
        let name = self.name.clone();
        self.queue.push_front(match self.protocol {
            Protocol::Lmtp => Request::Lhlo(name),
            Protocol::Smtp => Request::Ehlo(name),
        });
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Phase::Auth(_) = self.phase {
            self.output.zeroize();
            self.written.zeroize();
        }
    }
}

/// Hides what goes over the wire.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("protocol", &self.protocol)
            .field("capabilities", &self.capabilities)
            .field("phase", &self.phase)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a step that is not taken leaves both sides waiting"]
pub enum ClientStep<'a> {
    /// The server has answered; call again.
    Answered(Stage, Answer),
    /// Every request is answered: queue another one, or go on with the message after 354.
    Idle,
    /// Read from the server, [`receive`](Client::receive), and call again.
    Read,
    /// The server is ready for TLS. Shake hands, and go on with what [`Client::encrypted`] gives:
    /// this client has nothing else to say.
    StartTls,
    /// Write all of this to the server, and call again.
    Write(&'a [u8]),
}

/// The most requests that go out before a reply is read, so that neither side waits for the other
/// with its buffers full.
pub(super) const MAX_PENDING: usize = 64;
