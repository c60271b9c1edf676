//! Requests: typed, so that no line end can come into a command.

use std::fmt;

use super::{Capabilities, Stage};
use crate::address::{ForwardPath, ReversePath};
use crate::parameters::{Body, MailParameters};

/// A command to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Introduce oneself and ask for extensions. The client does it by itself.
    Ehlo(ClientName),
    /// Introduce oneself. The client does it by itself.
    Helo(ClientName),
    /// Introduce oneself to an LMTP server. The client does it by itself.
    Lhlo(ClientName),
    /// Open a transaction. Parameters that the server does not offer are left out: a message of 8-bit
    /// octets goes to a server without 8BITMIME as it is, which is what such servers cope with best.
    Mail(ReversePath, MailParameters),
    /// Name a recipient.
    Rcpt(ForwardPath),
    /// Ask to send the message.
    Data,
    /// Forget the transaction.
    Reset,
    /// Do nothing.
    Noop,
    /// End the session.
    Quit,
}

impl Request {
    pub(super) const fn stage(&self) -> Stage {
        match self {
            Self::Ehlo(_) => Stage::Ehlo,
            Self::Helo(_) => Stage::Helo,
            Self::Lhlo(_) => Stage::Lhlo,
            Self::Mail(..) => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data => Stage::Data,
            Self::Reset => Stage::Reset,
            Self::Noop => Stage::Noop,
            Self::Quit => Stage::Quit,
        }
    }

    /// Appends the command line.
    pub(super) fn write(&self, capabilities: &Capabilities, out: &mut Vec<u8>) {
        let line = match self {
            Self::Ehlo(name) => format!("EHLO {name}"),
            Self::Helo(name) => format!("HELO {name}"),
            Self::Lhlo(name) => format!("LHLO {name}"),
            Self::Mail(sender, parameters) => {
                format!("MAIL FROM:{sender}{}", Offered(parameters, capabilities))
            }
            Self::Rcpt(recipient) => format!("RCPT TO:{recipient}"),
            Self::Data => "DATA".into(),
            Self::Reset => "RSET".into(),
            Self::Noop => "NOOP".into(),
            Self::Quit => "QUIT".into(),
        };
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// The name by which a client introduces itself: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientName(Box<str>);

impl ClientName {
    /// Takes a domain or an address literal. Only what could harm the command is looked at.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        match (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(text.into())),
            false => Err(InvalidName),
        }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text can not be a client's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName;

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a host name must have 1 to 255 visible ascii characters")
    }
}

impl std::error::Error for InvalidName {}

/// Those parameters of MAIL that the server offers, each with a blank before it.
struct Offered<'a>(&'a MailParameters, &'a Capabilities);

impl fmt::Display for Offered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(parameters, capabilities) = self;
        if let Some(size) = parameters.size
            && capabilities.offers("SIZE")
        {
            write!(f, " SIZE={size}")?;
        }
        if let Some(body) = parameters.body
            && capabilities.offers("8BITMIME")
        {
            f.write_str(match body {
                Body::BinaryMime | Body::EightBitMime => " BODY=8BITMIME",
                Body::SevenBit => " BODY=7BIT",
            })?;
        }
        if parameters.smtputf8 && capabilities.offers("SMTPUTF8") {
            f.write_str(" SMTPUTF8")?;
        }
        Ok(())
    }
}
