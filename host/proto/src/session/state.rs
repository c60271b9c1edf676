//! The states of a session. Each owns what is true in it, and nothing else.

use crate::address::Charset;
use crate::auth::{AwaitsKeys, Exchange, Mechanism};
use crate::fault::Fault;
use crate::parameters::Body;
use crate::reply::Refusal;
use crate::session::ask::{Ask, Helo};
use crate::session::ending::Ending;
use crate::session::message::{MessageReceiver, Octets};
use crate::session::settings::Wait;

/// What a session does next.
#[derive(Debug)]
pub(super) enum State {
    /// A question for policy is ready.
    Asking(Ask, Question),
    /// AUTH waits for a response of the client.
    Authenticating(Exchange),
    /// AUTH has failed, and the client has yet to respond to the challenge that told it so.
    AuthFailing(AuthFailure),
    /// The last reply is written, then the connection is closed.
    Closing(Ending),
    /// A command line is awaited.
    Commands(Commands),
    /// The connection was accepted, and nothing has happened.
    Connected,
    /// The octets of a refused chunk are discarded before the refusal is sent.
    DiscardingChunk(DiscardedChunk),
    /// The client sends a message.
    Receiving(Receiving),
    /// The driver is told that the transaction is over.
    Resetting(Option<Refusal>, AfterReset),
    /// The reply to STARTTLS is written, then TLS begins.
    StartingTls,
}

impl From<Commands> for State {
    fn from(commands: Commands) -> Self {
        Self::Commands(commands)
    }
}

/// The result of one transition.
#[derive(Debug)]
pub(super) enum Transition {
    Ask(Ask, Question),
    /// Nothing can be done in this state before the output is written and `Idle` is over.
    Idle(State, Idle),
    Next(State),
    Reset(Option<Refusal>, AfterReset),
    Store(Octets, Receiving),
}

/// What a session does after all its output is written.
#[derive(Debug)]
pub(super) enum Idle {
    Close(Ending),
    Read(Wait),
    StartTls,
}

/// A command line is awaited.
#[derive(Debug)]
pub(super) struct Commands {
    pub(super) phase: Phase,
    pub(super) previous: PreviousCommand,
}

impl Commands {
    /// After any command but a failed AUTH.
    pub(super) const fn new(phase: Phase) -> Self {
        Self {
            phase,
            previous: PreviousCommand::Other,
        }
    }

    /// After an AUTH that has failed. AUTH is legal only after EHLO and outside a transaction.
    pub(super) const fn after_failed_auth() -> Self {
        Self {
            phase: Phase::Identified(Helo::Ehlo),
            previous: PreviousCommand::FailedAuth,
        }
    }
}

/// The last command that was recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PreviousCommand {
    /// A failed AUTH: a client that does not wait for the reply may send its credentials next.
    FailedAuth,
    Other,
}

/// The progress of a session between two commands.
#[derive(Debug)]
pub(super) enum Phase {
    /// A message was received in part, in chunks.
    Chunks(Helo, Box<MessageReceiver>),
    /// The client has introduced itself.
    Identified(Helo),
    /// Policy has refused the client, which can only QUIT.
    Refused,
    /// A transaction is open.
    Transaction(Helo, Envelope),
    /// The client has not introduced itself.
    Unidentified,
}

/// An open transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    pub(super) charset: Charset,
    /// The declared body type.
    pub(super) body: Option<Body>,
    pub(super) recipients: u32,
}

/// A message that is being received.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) helo: Helo,
    pub(super) receiver: Box<MessageReceiver>,
}

/// A refused chunk whose octets are discarded.
#[derive(Debug)]
pub(super) struct DiscardedChunk {
    pub(super) phase: Phase,
    /// The number of octets that have not arrived.
    pub(super) left: u64,
    pub(super) fault: Fault,
}

/// Why AUTH failed.
#[derive(Debug)]
pub(super) enum AuthFailure {
    Fault(Fault),
    Refusal(Refusal),
}

/// What follows the end of a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) enum AfterReset {
    Close(Ending),
    Commands(Helo),
    StartTls,
}

/// A question that was asked, with what is needed to continue after the answer.
#[derive(Debug)]
pub(super) enum Question {
    Auth(Mechanism),
    AuthKeys(Box<AwaitsKeys>),
    Command(Phase, FilteredLine),
    Connect,
    Data(Helo, Envelope),
    Expn(Phase),
    Headers(Receiving),
    Helo(Helo),
    Help(Phase),
    Mail(Helo, Envelope),
    Message(Helo),
    Rcpt(Helo, Envelope),
    StartTls(Phase),
    Vrfy(Phase),
    Xclient,
}

/// A command line that policy is asked about.
#[derive(Debug)]
pub(super) enum FilteredLine {
    /// A legal command, which is carried out if policy permits it.
    Legal(Vec<u8>),
    /// A verb that the session does not know.
    Unknown,
}
