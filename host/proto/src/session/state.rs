//! Where a session stands. Each state owns what is true in it, and nothing else.

use crate::auth::{AwaitsKeys, Exchange, Mechanism};
use crate::fault::Fault;
use crate::session::auth::Failure;
use crate::session::reception::Reception;
use crate::session::{Ask, Ending, Helo};

/// Everything that decides what happens next.
#[derive(Debug, Default)]
pub(super) enum State {
    /// The client has connected, and nothing happened.
    #[default]
    Connected,
    /// Policy is to be asked.
    Asking(Ask, Question),
    /// AUTH waits for a response.
    Authenticating(Client, Exchange),
    /// The last reply is said.
    Closing(Ending),
    /// A command line is awaited.
    Commands(Stage),
    /// Policy was asked.
    Deciding(Question),
    /// AUTH has failed, and the client is to answer the challenge that says so.
    Dismissing(Client, Failure),
    /// The client sends a message.
    Receiving(Client, Reception),
    /// The driver is to forget the transaction.
    Resetting(Stage),
    /// The client may begin TLS; whether the driver is to forget a transaction first.
    StartingTls { forgets: bool },
    /// Octets of a chunk that is refused are thrown away, before that is said.
    Swallowing(Stage, u64, Fault),
}

/// How far a session has come between two commands.
#[derive(Debug)]
pub(super) enum Stage {
    /// A message has come in part, in chunks.
    Chunks(Client, Reception),
    /// The client has introduced itself.
    Known(Client),
    /// A transaction is under way.
    Mail(Client, Envelope),
    /// The client was refused at connect and may only quit.
    Refused,
    /// The client has not introduced itself.
    Stranger,
}

/// A client that has introduced itself.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) kind: Helo,
}

/// A transaction under way.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) smtputf8: bool,
    /// Whether the message may hold what is not in lines, and so needs BDAT.
    pub(super) binary: bool,
    pub(super) recipients: u32,
}

/// A question that waits for its answer, with all that is needed to go on.
#[derive(Debug)]
pub(super) enum Question {
    Auth(Client, Mechanism),
    AuthKeys(Client, AwaitsKeys),
    /// About a command line that waits to be carried out, or that is not known here.
    Command(Stage, Result<Vec<u8>, Fault>),
    Connect,
    Data(Client, Envelope),
    Expn(Stage),
    Help(Stage),
    Headers(Client, Reception),
    Helo(Client),
    Mail(Client, Envelope),
    Message(Client),
    Rcpt(Client, Envelope),
    StartTls(Stage),
    Vrfy(Stage),
    Xclient,
}

impl Question {
    /// The question that goes with what a reception asks: of all asks only the header block's comes
    /// back to the reception.
    pub(super) fn of_message(ask: &Ask, client: Client, reception: Reception) -> Self {
        match ask {
            Ask::Headers => Self::Headers(client, reception),
            _ => Self::Message(client),
        }
    }
}
