//! What a session and its driver say to each other.

use std::fmt;

use crate::address::{ForwardPath, ReversePath};
use crate::auth::{Credentials, Mechanism, ScramKeys};
use crate::parameters::{MailParameters, Parameter};
use crate::reply::{Acceptance, Refusal};
use crate::xclient::Xclient;

/// What a driver is to do next.
#[derive(Debug)]
#[must_use = "a step that is not carried out is lost"]
pub enum Step<'a> {
    /// Ask policy, and bring its answer with [`Session::decide`](super::Session::decide). Nothing else happens before.
    Ask(Ask),
    /// Close the connection. The session is over.
    Close(Ending),
    /// Wait for octets from the client, for as long as [`Settings`](super::Settings) says, and
    /// [`Session::receive`](super::Session::receive) them.
    Read(Wait),
    /// The transaction is over without a message: forget it, here and at the backend.
    Reset,
    /// Begin TLS: the client has been told to, and nothing was read since. Then go on with the session
    /// that [`Session::encrypted`](super::Session::encrypted) gives; a client whose handshake fails
    /// can only be left.
    StartTls,
    /// Append these octets to the message. They are decoded: no dot-stuffing, no end mark.
    Store(&'a [u8]),
    /// Send these octets to the client, all of them.
    Write(&'a [u8]),
}

/// A question to policy. It is only asked where the command is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A command line, before it is carried out. Only asked where
    /// [`Offers::filters_commands`](super::Offers::filters_commands) says so, or the verb was registered by policy, and not about
    /// what may be credentials, behind an AUTH that has failed. One that is not known here can be
    /// answered in the place of the session; QUIT and RSET are carried out also where the answer
    /// refuses them.
    Command {
        /// The verb as written.
        verb: Box<str>,
        /// What follows it.
        argument: Box<str>,
        /// The whole line as it came, without its line ending.
        line: Box<[u8]>,
        /// Whether the session knows the command, and holds it for legal now.
        known: bool,
    },
    /// May this client authenticate so? Answer with [`Answer::Authenticated`] or a refusal; anything
    /// else counts as "nobody knows this user".
    Auth(Credentials),
    /// What are the keys of this user, who has begun a SCRAM exchange? Answer with [`Answer::Keys`];
    /// proceeding means that there are none. Whether there are makes no difference that the client
    /// could see before the end. Only asked where [`Offers::scram`](super::Offers::scram) says so.
    AuthKeys {
        /// Who the client says it is, in lower case.
        identity: Box<str>,
        /// The mechanism of the exchange.
        mechanism: Mechanism,
    },
    /// May the client talk to us? Asked once, before the banner.
    Connect,
    /// May the client send the message now? Not asked where it comes with BDAT.
    Data,
    /// Who is on this list? Proceeding without a reply means that nobody knows.
    Expn(Box<str>),
    /// Is the header block good? It has been stored whole, with the blank line behind it where
    /// there is one.
    Headers,
    /// Who the client says it is. Ends a transaction that is under way.
    Helo {
        /// How it introduced itself.
        kind: Helo,
        /// The name as it was given.
        name: Box<str>,
    },
    /// What is there to be said about a topic, or in general?
    Help(Box<str>),
    /// May a transaction begin? Forget an earlier one.
    Mail {
        /// Where errors go.
        sender: ReversePath,
        /// The ESMTP parameters.
        parameters: MailParameters,
    },
    /// The message has been stored whole: hand it over. Proceeding means that somebody took
    /// responsibility for it.
    Message,
    /// Is this recipient good?
    Rcpt {
        /// Where the message goes.
        recipient: ForwardPath,
        /// The ESMTP parameters.
        parameters: Vec<Parameter>,
    },
    /// May the client begin TLS? Answer with a refusal where that cannot be done; see
    /// [`TLS_NOT_AVAILABLE`](super::TLS_NOT_AVAILABLE).
    StartTls,
    /// Does this user exist?
    Vrfy(Box<str>),
    /// The client speaks on behalf of another one from now on. Everything about the session is
    /// forgotten, and [`Ask::Connect`] is next. Answer with [`Answer::Authenticated`] where that one
    /// has authenticated.
    Xclient(Xclient),
}

/// Policy's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The credentials are right. Means [`Answer::Proceed`] to any question but [`Ask::Auth`].
    Authenticated,
    /// Refuse with this reply and close the connection.
    Disconnect(Refusal),
    /// The keys of the user, where there are any. Means [`Answer::Proceed`] to any question but
    /// [`Ask::AuthKeys`].
    Keys(Option<ScramKeys>),
    /// Yes, with this reply in place of the usual one.
    Proceed(Option<Acceptance>),
    /// No, with this reply. The session goes on, unless the reply says that it closes.
    Refuse(Refusal),
}

/// How a client introduced itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helo {
    /// With EHLO.
    Ehlo,
    /// With HELO.
    Helo,
}

/// What a read waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A command line. The time for it runs from the last reply on.
    Command,
    /// The rest of a message. The time for it runs from the 354 reply on.
    Message,
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client closed the connection.
    Closed,
    /// A reply of policy closed it.
    Disconnected,
    /// The client sent a line without end.
    EndlessLine,
    /// The client said QUIT.
    Quit,
    /// The gateway shuts down.
    Shutdown,
    /// The client took too long.
    Timeout,
    /// The client made more errors than [`Settings::max_errors`](super::Settings::max_errors).
    TooManyErrors,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Disconnected => "disconnected",
            Self::EndlessLine => "endless-line",
            Self::Quit => "quit",
            Self::Shutdown => "shutdown",
            Self::Timeout => "timeout",
            Self::TooManyErrors => "too-many-errors",
        })
    }
}
