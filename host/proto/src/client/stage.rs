//! The stages of a connection, and the answers of the server.

use std::fmt;

use crate::reply::{Acceptance, Refusal, Reply};

/// The stages that replies belong to, in the order of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The greeting of the server.
    Greeting,
    /// EHLO. After a permanent refusal, which is not reported, HELO follows.
    Ehlo,
    /// HELO.
    Helo,
    /// LHLO.
    Lhlo,
    /// STARTTLS.
    StartTls,
    /// AUTH, including its exchange.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The first chunk of a message, which shows whether the server honours BDAT.
    FirstChunk,
    /// The message; over LMTP the message for one recipient, in the order in which they were accepted. If
    /// the server refuses before the end of the message, the connection can only be closed.
    Message,
    /// RSET.
    Reset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
}

impl Stage {
    /// True for the stages of a mail transaction whose positive replies say that it goes on.
    const fn is_of_mail(self) -> bool {
        matches!(
            self,
            Self::Mail | Self::Rcpt | Self::FirstChunk | Self::Message
        )
    }
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
            Self::FirstChunk => "first BDAT",
            Self::Message => "message",
            Self::Reset => "RSET",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
        })
    }
}

/// The answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A positive reply.
    Accepted(Acceptance),
    /// 3xx to DATA: the server expects the message. It should be 354, but a client goes by the first
    /// digit (RFC 5321 §4.2.1).
    GoAhead,
    /// A negative reply.
    Refused(Refusal),
}

impl Answer {
    /// The meaning of a reply by its first digit (RFC 5321 §4.2.1). Returns `None` if the code is not
    /// valid at this stage.
    pub(super) fn new(stage: Stage, reply: Reply) -> Option<Self> {
        match (reply.code(), stage) {
            (300..=399, Stage::Data) => Some(Self::GoAhead),
            (_, Stage::Data) => Refusal::new(reply).ok().map(Self::Refused),
            (400..=599, _) => Refusal::new(reply).ok().map(Self::Refused),
            // They answer something else, such as the end of the session.
            (211 | 214 | 220 | 221 | 235, stage) if stage.is_of_mail() => None,
            // The client gets the reply, and 250 is what it knows.
            (code @ 200..=299, stage) if stage.is_of_mail() => {
                let reply = match (code, stage) {
                    (251, Stage::Rcpt) => reply,
                    _ => reply.with_code_250(),
                };
                Acceptance::new(reply).ok().map(Self::Accepted)
            }
            _ => Acceptance::new(reply).ok().map(Self::Accepted),
        }
    }
}

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// LMTP (RFC 2033): LHLO instead of EHLO, and one reply for each recipient after the message.
    Lmtp,
    /// SMTP (RFC 5321).
    Smtp,
}

/// The maximum length of a line of a server's reply in octets. Some servers exceed the 512 octets of RFC
/// 5321 §4.5.3.1.5.
pub const MAX_REPLY_LINE: usize = 2048;
