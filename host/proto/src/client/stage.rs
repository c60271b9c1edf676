//! The stages of a connection, and the answers of the server.

use std::fmt;

use crate::reply::{Acceptance, Refusal, Reply};

/// What a reply answers, in the order of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connection.
    Greeting,
    /// EHLO. Refused for good, it is followed by HELO without being reported.
    Ehlo,
    /// HELO.
    Helo,
    /// LHLO.
    Lhlo,
    /// STARTTLS.
    StartTls,
    /// AUTH, with all of its exchange.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The whole message; over LMTP the message for one recipient, in the order in which they were
    /// accepted. An answer before the message is finished is a refusal after which the connection is
    /// only good for closing.
    Message,
    /// RSET.
    Reset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "greeting",
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Lhlo => "LHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Message => "message",
            Self::Reset => "RSET",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
        })
    }
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Accepted(Acceptance),
    /// Yes to DATA: the message is to follow.
    GoAhead,
    /// No.
    Refused(Refusal),
}

impl Answer {
    /// Nothing where the code cannot be an answer at this stage.
    pub(super) fn new(stage: Stage, reply: Reply) -> Option<Self> {
        match (reply.code(), stage) {
            (354, Stage::Data) => Some(Self::GoAhead),
            (_, Stage::Data) => Refusal::new(reply).ok().map(Self::Refused),
            (400..=599, _) => Refusal::new(reply).ok().map(Self::Refused),
            _ => Acceptance::new(reply).ok().map(Self::Accepted),
        }
    }
}

/// Which protocol a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 2033: as SMTP, with LHLO, and a reply for each recipient at the end of the message.
    Lmtp,
    /// RFC 5321.
    Smtp,
}

/// The longest line of a reply that is taken, in octets. Servers exceed the 512 octets of RFC 5321
/// §4.5.3.1.5 in practice.
pub const MAX_REPLY_LINE: usize = 2048;
