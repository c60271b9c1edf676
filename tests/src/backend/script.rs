//! What a script learns of the conversation with the gateway, and what it can answer.

/// A step of the gateway on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The number of the connection, counted from 0.
    pub connection: usize,
    /// The step.
    pub step: Step<'a>,
}

/// A step of a session, as the backend sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The gateway has connected.
    Connect,
    /// EHLO, HELO or LHLO: the command line.
    Helo(&'a str),
    /// MAIL: the command line.
    Mail(&'a str),
    /// RCPT: the command line.
    Rcpt(&'a str),
    /// DATA.
    Data,
    /// The gateway has sent the whole message. With LMTP, once for each recipient.
    Message {
        /// The command line of MAIL.
        mail: &'a str,
        /// The command line of RCPT of the recipient; with SMTP, of the first one.
        rcpt: &'a str,
    },
    /// Another command: the command line.
    Other(&'a str),
}

/// What the backend does at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Accept, as a working server does.
    Work,
    /// Send these octets.
    Say(String),
    /// Close the connection.
    Close,
    /// Send nothing more, and keep the connection open.
    Hang,
}

impl Act {
    /// Sends this line.
    pub fn reply(line: &str) -> Self {
        Self::Say(format!("{line}\r\n"))
    }
}

/// A message that the backend has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The command line of MAIL.
    pub mail: String,
    /// The command lines of RCPT of the recipients for whom the message was accepted.
    pub recipients: Vec<String>,
    /// The message without dot-stuffing.
    pub content: Vec<u8>,
}
