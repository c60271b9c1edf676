//! The server side of one connection.

mod auth;
mod check;
mod exchange;
mod input;
mod output;
mod proceed;
mod reception;
mod settings;
mod state;
mod texts;

use std::mem;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::auth::Mechanism;
use crate::command::is_auth;
use crate::fault::Fault;
use crate::reply::{Enhanced, Refusal, Reply};
use check::Legal;
use input::{Input, Line};
use output::Output;
use reception::Progress;
use state::{Question, Stage, State};
use texts::Texts;

pub use exchange::{Answer, Ask, Ending, Helo, Step, Wait};
pub use settings::{Auth, Channel, Offers, Settings, Tls};
pub use texts::is_own_keyword;

/// A session: octets in by [`receive`](Self::receive), steps out by [`step`](Self::step), answers in by
/// [`decide`](Self::decide).
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    offers: Offers,
    state: State,
    input: Input,
    output: Output,
    texts: Texts,
    authenticated: bool,
    /// The mechanisms to which policy has limited AUTH.
    limit: Option<Vec<Mechanism>>,
    /// Exchanges of AUTH so far.
    exchanges: u64,
    /// Whether the last command was an AUTH that has come to nothing, so that what follows may be
    /// credentials of a client that has not looked at the reply.
    expects_credentials: bool,
    counters: Counters,
    faults: Vec<Fault>,
    refused: Option<Refusal>,
    is_stopping: bool,
}

/// What happened in a session so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Command lines received.
    pub commands: u32,
    /// Faults of the client.
    pub errors: u32,
    /// Messages that the client was told are taken.
    pub messages: u32,
}

impl Session {
    /// A session with a client that has just connected.
    pub fn new(settings: Arc<Settings>, offers: Offers) -> Self {
        Self {
            settings,
            offers,
            state: State::default(),
            input: Input::default(),
            output: Output::default(),
            texts: Texts::default(),
            authenticated: false,
            limit: None,
            exchanges: 0,
            expects_credentials: false,
            counters: Counters::default(),
            faults: Vec::new(),
            refused: None,
            is_stopping: false,
        }
    }

    /// The session that goes on over an encrypted channel, after [`Step::StartTls`]. It begins anew, as
    /// RFC 3207 §4.2 has it: without a HELO, a transaction or an authentication. What the client sent
    /// in clear and was not carried out is gone with the old session. What policy has set for the
    /// whole session holds on.
    #[must_use]
    pub fn encrypted(self, channel: Channel) -> Self {
        let mut session = Self {
            offers: Offers {
                tls: Tls::Active(channel),
                ..self.offers
            },
            state: match self.state {
                State::Connected => State::Connected,
                _ => State::Commands(Stage::Stranger),
            },
            texts: self.texts,
            exchanges: self.exchanges,
            counters: self.counters,
            faults: self.faults,
            is_stopping: self.is_stopping,
            ..Self::new(self.settings, Offers::default())
        };
        if !self.input.unused().is_empty() {
            session.note(Fault::PlaintextBehindStartTls);
        }
        session
    }

    /// The client has authenticated before, where somebody else could see it.
    pub const fn set_authenticated(&mut self) {
        self.authenticated = true;
    }

    /// Takes octets that came from the client.
    pub fn receive(&mut self, octets: &[u8]) {
        self.input.buffer(octets.len()).extend_from_slice(octets);
    }

    /// Where a driver can append octets from the client without a copy in between: with room for so
    /// many, beyond which credentials would leave a copy behind. What was appended counts as received.
    /// While nothing is kept, the buffer is at most twice as large.
    pub fn receive_buffer(&mut self, room: usize) -> &mut Vec<u8> {
        self.input.buffer(room)
    }

    /// What is to be done next. What the last step asked for counts as done.
    pub fn step(&mut self) -> Step<'_> {
        self.output.forget_written();
        loop {
            match mem::take(&mut self.state) {
                State::Connected | State::Commands(_) if self.is_stopping => {
                    self.hang_up(Ending::Shutdown);
                }
                State::Connected => self.ask(Ask::Connect, Question::Connect),
                State::Asking(ask, question) => {
                    self.state = State::Deciding(question);
                    return Step::Ask(ask);
                }
                // The driver steps on without an answer: the question stands.
                State::Deciding(question) => {
                    self.state = State::Deciding(question);
                    return self.flush(Step::Read(Wait::Command));
                }
                State::Commands(stage) if self.is_hasty() => {
                    self.input.discard();
                    self.object(State::Commands(stage), Fault::Pipelining);
                }
                State::Commands(stage) => match self.command() {
                    Line::Incomplete => {
                        self.state = State::Commands(stage);
                        return self.flush(Step::Read(Wait::Command));
                    }
                    line => self.command_line(stage, line),
                },
                State::Authenticating(client, exchange) => match self.line(MAX_AUTH_LINE) {
                    Line::Incomplete => {
                        self.state = State::Authenticating(client, exchange);
                        return self.flush(Step::Read(Wait::Command));
                    }
                    line => self.auth_line(client, exchange, line),
                },
                State::Dismissing(client, failure) => match self.line(MAX_AUTH_LINE) {
                    Line::Incomplete => {
                        self.state = State::Dismissing(client, failure);
                        return self.flush(Step::Read(Wait::Command));
                    }
                    line => self.dismissed_line(client, failure, &line),
                },
                State::Receiving(client, mut reception) => {
                    match reception.advance(&mut self.input, &self.settings) {
                        Progress::Ask(ask) => {
                            self.ask(ask.clone(), Question::of_message(&ask, client, reception));
                        }
                        Progress::Chunk(size) => {
                            self.chunk_received(size);
                            self.state = State::Commands(Stage::Chunks(client, reception));
                        }
                        Progress::NeedMore => {
                            self.state = State::Receiving(client, reception);
                            return self.flush(Step::Read(Wait::Message));
                        }
                        Progress::Refused(refusal) => {
                            self.say(refusal.reply());
                            self.refused = Some(refusal);
                            self.state = State::Commands(Stage::Known(client));
                            return Step::Reset;
                        }
                        Progress::Store(octets) => {
                            self.state = State::Receiving(client, reception);
                            return Step::Store(octets.of(&self.input));
                        }
                    }
                }
                State::Resetting(stage) => {
                    self.state = State::Commands(stage);
                    return Step::Reset;
                }
                State::StartingTls { forgets: true } => {
                    self.state = State::StartingTls { forgets: false };
                    return Step::Reset;
                }
                // The driver steps on without TLS: there is nothing else to do.
                State::StartingTls { forgets: false } => {
                    self.state = State::StartingTls { forgets: false };
                    return self.flush(Step::StartTls);
                }
                State::Swallowing(stage, left, fault) => {
                    let swallowed = self.input.swallow(left);
                    if swallowed < left {
                        self.state = State::Swallowing(stage, left - swallowed, fault);
                        return self.flush(Step::Read(Wait::Message));
                    }
                    self.object(State::Commands(stage), fault);
                }
                State::Closing(ending) => {
                    self.state = State::Closing(ending);
                    return self.flush(Step::Close(ending));
                }
            }
        }
    }

    /// Brings policy's answer to the last [`Step::Ask`]. Without a question it does nothing.
    pub fn decide(&mut self, answer: Answer) {
        match mem::take(&mut self.state) {
            State::Deciding(question) => self.proceed(question, answer),
            other => self.state = other,
        }
    }

    /// The message cannot be kept: it will be refused, as soon as that may be said.
    pub fn refuse_message(&mut self, refusal: Refusal) {
        if let State::Receiving(_, reception) = &mut self.state {
            reception.refuse(refusal);
        }
    }

    /// Carries out no further command: what is under way comes to its end, and then the session does.
    pub const fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Ends the session with a reply that says why; at once, also while a message is received.
    pub fn hang_up(&mut self, ending: Ending) {
        let (code, enhanced, text) = match ending {
            Ending::Closed | Ending::Quit => return self.state = State::Closing(ending),
            Ending::Disconnected => (421, Enhanced::new(4, 3, 0), "Closing connection"),
            Ending::EndlessLine => (
                421,
                Enhanced::new(4, 7, 0),
                "Line without end, closing connection",
            ),
            Ending::Shutdown => (421, Enhanced::new(4, 3, 2), "Service is shutting down"),
            Ending::Timeout => (421, Enhanced::new(4, 4, 2), "Timeout, closing connection"),
            Ending::TooManyErrors => (421, Enhanced::new(4, 7, 0), "Too many errors"),
        };
        self.say(&Reply::fixed(code, enhanced, text));
        self.state = State::Closing(ending);
    }

    /// Whether the client has sent something before it was spoken to (RFC 5321 §4.3.1).
    pub fn has_input(&self) -> bool {
        !self.input.unused().is_empty()
    }

    /// The faults of the client since this was last asked, for the log.
    pub fn take_faults(&mut self) -> Vec<Fault> {
        mem::take(&mut self.faults)
    }

    /// Why the message was refused without being asked about, where [`Step::Reset`] comes of that.
    pub const fn take_refused(&mut self) -> Option<Refusal> {
        self.refused.take()
    }

    /// What happened so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn ask(&mut self, ask: Ask, question: Question) {
        self.state = State::Asking(ask, question);
    }

    fn say(&mut self, reply: &Reply) {
        reply.write(&mut self.output.octets);
    }

    /// The one place where a fault becomes a reply and is counted.
    fn fault(&mut self, fault: Fault) {
        let reply = self.settings.reply_to(fault);
        self.say(&reply);
        self.note(fault);
    }

    fn note(&mut self, fault: Fault) {
        if fault.is_error() {
            self.counters.errors = self.counters.errors.saturating_add(1);
        }
        self.faults.push(fault);
    }

    /// What was said goes out before the session waits or closes.
    fn flush<'a>(&'a mut self, idle: Step<'a>) -> Step<'a> {
        match self.output.octets.is_empty() {
            true => idle,
            false => Step::Write(self.output.write()),
        }
    }

    fn command(&mut self) -> Line {
        let limit = self.input.longest_command();
        self.line(limit)
    }

    fn line(&mut self, limit: usize) -> Line {
        self.input.line(
            limit,
            self.settings.max_discarded,
            self.settings.lenient_commands,
        )
    }

    /// Whether the client goes on talking before it was answered, and may not. The first command
    /// behind a proxy may come with the header.
    fn is_hasty(&self) -> bool {
        let is_with_header = self.offers.proxied && self.counters.commands == 0;
        !self.settings.extensions.pipelining
            && !is_with_header
            && !self.output.octets.is_empty()
            && !self.input.unused().is_empty()
    }

    fn command_line(&mut self, stage: Stage, line: Line) {
        self.counters.commands = self.counters.commands.saturating_add(1);
        let mut line = match line {
            Line::Complete(line) => line,
            Line::Endless => return self.hang_up(Ending::EndlessLine),
            Line::Incomplete => Zeroizing::default(),
            Line::NoCr => return self.object(State::Commands(stage), Fault::CommandEncoding),
            Line::TooLong if self.input.is_auth() => {
                self.expects_credentials = true;
                return self.object(State::Commands(stage), Fault::AuthLineTooLong);
            }
            Line::TooLong => return self.object(State::Commands(stage), Fault::LineTooLong),
        };
        let checked = self.check_line(&stage, &line);
        let is_registered = self.texts.is_registered(&line);
        if is_registered || !matches!(checked, Err(Fault::UnknownVerb)) {
            self.expects_credentials = is_auth(&line);
        }
        let fault = match checked {
            // Credentials are for the one event that is made for them.
            Ok(legal) if self.offers.filters_commands && !matches!(legal, Legal::Auth(..)) => {
                return self.ask_about_command(stage, mem::take(&mut *line), None);
            }
            Ok(legal) => return self.carry_out(stage, legal),
            // Of two headers in a row neither can be believed.
            Err(Fault::ProxyTwice) if self.counters.commands == 1 => {
                return self.hang_up(Ending::Disconnected);
            }
            Err(fault) => fault,
        };
        let is_filtered = self.offers.filters_commands && !self.expects_credentials;
        let is_asked = is_filtered || is_registered;
        match fault == Fault::UnknownVerb && is_asked {
            true => self.ask_about_command(stage, mem::take(&mut *line), Some(fault)),
            false => self.object(State::Commands(stage), fault),
        }
    }

    fn ask_about_command(&mut self, stage: Stage, line: Vec<u8>, fault: Option<Fault>) {
        let text = String::from_utf8_lossy(&line).replace(char::is_control, "?");
        let (verb, argument) = text.split_once(' ').unwrap_or((&text, ""));
        let ask = Ask::Command {
            verb: verb.into(),
            argument: argument.into(),
            line: line.as_slice().into(),
            known: fault.is_none(),
        };
        let line = match fault {
            None => Ok(line),
            Some(fault) => Err(fault),
        };
        self.ask(ask, Question::Command(stage, line));
    }

    /// Carries out a line that was checked before in this very stage.
    fn carry_out_line(&mut self, stage: Stage, line: &[u8]) {
        match self.check_line(&stage, line) {
            Ok(legal) => self.carry_out(stage, legal),
            Err(fault) => self.object(State::Commands(stage), fault),
        }
    }

    /// RFC 3030 §4.2: each chunk is answered.
    fn chunk_received(&mut self, size: u64) {
        let lines = vec![format!("{size} octets received")];
        // The code and its enhanced code go together.
        if let Ok(reply) = Reply::new(250, Some(Enhanced::new(2, 0, 0)), lines) {
            self.say(&reply);
        }
    }

    /// Answers a fault, and goes on in `state` unless there were too many.
    fn object(&mut self, state: State, fault: Fault) {
        self.fault(fault);
        self.state = state;
        self.end_at_too_many_errors();
    }

    fn end_at_too_many_errors(&mut self) {
        let limit = self.settings.max_errors;
        if limit > 0 && self.counters.errors >= limit {
            self.hang_up(Ending::TooManyErrors);
        }
    }
}

/// The refusal of STARTTLS where TLS cannot be had for now (RFC 3207 §4).
pub const TLS_NOT_AVAILABLE: Refusal = Refusal::fixed(
    454,
    Enhanced::new(4, 7, 0),
    "TLS not available due to temporary reason",
);

/// The longest command line, CRLF included: the 512 octets of RFC 5321 §4.5.3.1.4 and what
/// extensions add to MAIL and RCPT.
pub const MAX_COMMAND_LINE: usize = 2048;

/// The longest line in an AUTH exchange, CRLF included (RFC 4954 §4).
pub const MAX_AUTH_LINE: usize = 12_288;

#[cfg(test)]
mod tests;
