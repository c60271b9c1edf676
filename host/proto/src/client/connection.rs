//! A connection to a server.

use std::collections::VecDeque;
use std::fmt;

use memchr::memchr;
use zeroize::Zeroize as _;

use crate::client::body::BodyEncoder;
use crate::client::capabilities::{Capabilities, Extension};
use crate::client::encoder::Encoder;
use crate::client::fault::ClientFault;
use crate::client::message::MessageWriter;
use crate::client::phase::Phase;
use crate::client::request::{ClientName, Request};
use crate::client::stage::{Answer, MAX_REPLY_LINE, Protocol, Stage};
use crate::reply::{Reply, ReplyParser};

/// A connection to a server.
///
/// The client sends EHLO, HELO or LHLO itself. The driver queues requests, and calls
/// [`step`](Self::step) until it returns [`ClientStep::Idle`].
pub struct Client {
    protocol: Protocol,
    name: ClientName,
    capabilities: Capabilities,
    /// Extensions that are not used, whatever the server offers.
    unused: Vec<Extension>,
    phase: Phase,
    /// Requests that were not sent.
    queue: VecDeque<Request>,
    /// Requests that were sent and not answered.
    pending: VecDeque<Stage>,
    /// The number of recipients that the server has accepted in this transaction.
    recipients: usize,
    input: Vec<u8>,
    parser: ReplyParser,
    /// True after a successful AUTH.
    is_authenticated: bool,
    output: Vec<u8>,
    /// The output of the last [`ClientStep::Write`].
    written: Vec<u8>,
}

impl Client {
    /// A client that introduces itself by this name after the greeting of the server.
    pub fn new(protocol: Protocol, name: ClientName) -> Self {
        Self {
            protocol,
            name,
            capabilities: Capabilities::default(),
            unused: Vec::new(),
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

    /// The same client, which does not use these extensions even if the server offers them.
    #[must_use]
    pub fn without(mut self, extensions: &[Extension]) -> Self {
        self.unused = extensions.to_vec();
        self
    }

    /// The client after the handshake. It introduces itself again, and forgets all that the server has
    /// sent before, including its extensions and unread octets (RFC 3207 §4.2).
    #[must_use]
    pub fn encrypted(self) -> Self {
        let mut client = Self::new(self.protocol, self.name.clone()).without(&self.unused);
        client.pending.clear();
        client.introduce();
        client
    }

    /// Queues a request. If the server offers PIPELINING, requests are sent together (RFC 2920).
    pub fn request(&mut self, request: Request) {
        self.queue.push_back(request);
        self.send();
    }

    /// The writer for the message, after a 354 reply or a BDAT request and until it is finished. Returns
    /// `None` at other times.
    pub const fn message(&mut self) -> Option<MessageWriter<'_>> {
        match self.phase {
            Phase::Auth(_) | Phase::Commands | Phase::Handshake => None,
            Phase::Message(_) => Some(MessageWriter {
                protocol: self.protocol,
                phase: &mut self.phase,
                pending: &mut self.pending,
                recipients: &mut self.recipients,
                is_interrupted: !self.input.is_empty(),
                output: &mut self.output,
            }),
        }
    }

    /// Appends octets from the server, which may be cut anywhere.
    pub fn receive(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
    }

    /// What the driver does next.
    ///
    /// # Errors
    ///
    /// Fails if the server violates the protocol. The connection can only be closed then.
    pub fn step(&mut self) -> Result<ClientStep<'_>, ClientFault> {
        if let Phase::Handshake = self.phase {
            return Ok(ClientStep::StartTls);
        }
        loop {
            if self.is_out_of_step() {
                return Err(ClientFault::Unsolicited);
            }
            // A reply before the end of the message goes first: no more of the message may follow.
            if let Phase::Message(_) = self.phase
                && let Some(reply) = self.reply()?
                && let Some((stage, answer)) = self.answered(reply)?
            {
                return Ok(ClientStep::Answered(stage, answer));
            }
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

    /// True if there are octets from the server that were not used.
    pub const fn has_unread(&self) -> bool {
        !self.input.is_empty()
    }

    /// The extensions of the server. Empty before its reply to EHLO.
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// True if octets of the server would be taken for the reply to the next request, which was not
    /// sent yet.
    fn is_out_of_step(&self) -> bool {
        let is_next = self.pending.is_empty() && !matches!(self.phase, Phase::Message(_));
        is_next && !self.queue.is_empty() && !self.input.is_empty()
    }

    /// Moves requests from the queue to the output, as far as they may be sent now.
    fn send(&mut self) {
        while !self.is_out_of_step()
            && self.may_send()
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

    /// True if the next request may be sent now. Only MAIL, RCPT and RSET may be followed by another
    /// command before the reply (RFC 2920 §3.1). A message is sent after the replies to RCPT only.
    fn may_send(&self) -> bool {
        match (&self.phase, self.pending.back()) {
            (Phase::Auth(_) | Phase::Handshake | Phase::Message(_), _) => false,
            (Phase::Commands, None) => true,
            (Phase::Commands, Some(Stage::Mail | Stage::Rcpt | Stage::Reset)) => {
                self.pending.len() < MAX_PENDING
                    && self.capabilities.offers("PIPELINING")
                    && !matches!(
                        self.queue.front(),
                        Some(
                            Request::Auth(_)
                                | Request::Bdat(_)
                                | Request::FirstChunk(_)
                                | Request::StartTls
                        )
                    )
            }
            (Phase::Commands, Some(_)) => false,
        }
    }

    /// The next complete reply of the input.
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

    /// Handles a reply. Returns `None` if it is not reported to the driver.
    fn answered(&mut self, reply: Reply) -> Result<Option<(Stage, Answer)>, ClientFault> {
        // If no request is pending, the server replies before the end of the message.
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
            if !self.input.is_empty() {
                return Err(ClientFault::Unsolicited);
            }
            let response = exchange.respond(reply.lines().next().unwrap_or_default())?;
            self.write_secret(&response);
            self.pending.push_front(stage);
            return Ok(None);
        }
        let answer = Answer::new(stage, reply).ok_or(ClientFault::Code { stage, code })?;
        let is_accepted = matches!(answer, Answer::Accepted(_) | Answer::GoAhead);
        if is_accepted && (is_early || self.is_ahead_of(stage)) {
            return Err(ClientFault::Unsolicited);
        }
        match (&answer, stage) {
            (Answer::Accepted(_), Stage::Greeting) => self.introduce(),
            (Answer::Accepted(acceptance), Stage::Ehlo | Stage::Lhlo) => {
                let offered = Capabilities::parse(acceptance.reply());
                self.capabilities = offered.without(&self.unused);
            }
            (Answer::Accepted(_), Stage::Auth) => {
                if let Phase::Auth(exchange) = self.take_phase() {
                    exchange.accepted()?;
                }
                self.is_authenticated = true;
            }
            (Answer::Refused(_), Stage::Auth) => self.phase = Phase::Commands,
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

    /// True if octets follow a positive reply after which it is the client's turn: they come before
    /// their question. A server that closes the connection may say so at any time (RFC 5321 §3.8).
    fn is_ahead_of(&self, stage: Stage) -> bool {
        self.pending.is_empty()
            && !self.input.is_empty()
            && !self.input.starts_with(b"421")
            && !matches!(stage, Stage::Message | Stage::Quit)
    }

    /// Returns the phase, and continues with commands.
    const fn take_phase(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Commands)
    }

    /// Writes a line without leaving a copy in memory.
    fn write_secret(&mut self, line: &str) {
        // A buffer that grows would leave the old octets in memory.
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

/// Hides input and output.
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

/// What the driver does next.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a step that is not taken leaves both sides waiting"]
pub enum ClientStep<'a> {
    /// The server has answered a request.
    Answered(Stage, Answer),
    /// All requests are answered. Queue a request, or write the message after 354.
    Idle,
    /// Read from the server, and pass the octets to [`Client::receive`].
    Read,
    /// Begin TLS, and continue with [`Client::encrypted`].
    StartTls,
    /// Write all octets to the server.
    Write(&'a [u8]),
}

/// The maximum number of requests without a reply. It prevents a deadlock in which both sides write and
/// their buffers are full.
pub(super) const MAX_PENDING: usize = 64;
