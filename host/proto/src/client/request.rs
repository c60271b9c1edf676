//! Requests: typed, so that no line end can come into a command.

use std::fmt;

use crate::address::{ForwardPath, ReversePath};
use crate::client::capabilities::Capabilities;
use crate::client::chunk::Chunk;
use crate::client::sasl::Authentication;
use crate::client::stage::Stage;
use crate::parameters::{Body, MailParameters, Parameter};

/// A command to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Introduce oneself and ask for extensions. The client does it by itself.
    Ehlo(ClientName),
    /// Introduce oneself. The client does it by itself.
    Helo(ClientName),
    /// Introduce oneself to an LMTP server. The client does it by itself.
    Lhlo(ClientName),
    /// Ask for TLS, from a server that offers STARTTLS. After a yes comes
    /// [`ClientStep::StartTls`](super::ClientStep::StartTls).
    StartTls,
    /// Say who the client is, by a mechanism that the server offers.
    Auth(Authentication),
    /// Open a transaction.
    ///
    /// SIZE, BODY, SMTPUTF8, REQUIRETLS, RET and ENVID go along where the server offers them: a
    /// message of 8-bit octets goes to a server without 8BITMIME as it is, which is what such servers
    /// cope with best, and a server without DSN reports failures as it always does. AUTH goes along
    /// as `AUTH=<>` where the server knows this client: whom its own client acts as is nothing that
    /// the server could check (RFC 4954 §5). Others are left out.
    Mail(ReversePath, MailParameters),
    /// Name a recipient. NOTIFY and ORCPT go along where the server offers DSN (RFC 3461).
    Rcpt(ForwardPath, Vec<Parameter>),
    /// Ask to send the message.
    Data,
    /// Send the message as one chunk, to a server that offers CHUNKING (RFC 3030). It is not asked
    /// first: the octets follow at once.
    Bdat(Chunk),
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
            Self::StartTls => Stage::StartTls,
            Self::Auth(_) => Stage::Auth,
            Self::Mail(..) => Stage::Mail,
            Self::Rcpt(..) => Stage::Rcpt,
            Self::Data => Stage::Data,
            Self::Bdat(_) => Stage::Message,
            Self::Reset => Stage::Reset,
            Self::Noop => Stage::Noop,
            Self::Quit => Stage::Quit,
        }
    }

    /// Appends the command line. That of AUTH is made where its exchange begins.
    pub(super) fn write(
        &self,
        capabilities: &Capabilities,
        is_authenticated: bool,
        out: &mut Vec<u8>,
    ) {
        let line = match self {
            Self::Ehlo(name) => format!("EHLO {name}"),
            Self::Helo(name) => format!("HELO {name}"),
            Self::Lhlo(name) => format!("LHLO {name}"),
            Self::Mail(sender, parameters) => {
                let dsn = Dsn(&parameters.all, &["RET", "ENVID"], capabilities);
                // RFC 4954 §5 demands it of a client that has authenticated.
                let auth = match parameters.value("AUTH") {
                    Some(_) if is_authenticated => " AUTH=<>",
                    _ => "",
                };
                format!(
                    "MAIL FROM:{sender}{}{dsn}{auth}",
                    Offered(parameters, capabilities)
                )
            }
            Self::Rcpt(recipient, parameters) => {
                let dsn = Dsn(parameters, &["NOTIFY", "ORCPT"], capabilities);
                format!("RCPT TO:{recipient}{dsn}")
            }
            Self::StartTls => "STARTTLS".into(),
            Self::Auth(_) => return,
            Self::Data => "DATA".into(),
            Self::Bdat(chunk) => format!("BDAT {} LAST", chunk.size()),
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

/// A text cannot be a client's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName;

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a host name must have 1 to 255 visible ascii characters")
    }
}

impl std::error::Error for InvalidName {}

/// Those of the basic parameters of MAIL that the server offers, each with a blank before it.
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
            && capabilities.take(body)
        {
            f.write_str(match body {
                Body::BinaryMime => " BODY=BINARYMIME",
                Body::EightBitMime => " BODY=8BITMIME",
                Body::SevenBit => " BODY=7BIT",
            })?;
        }
        if parameters.smtputf8 && capabilities.offers("SMTPUTF8") {
            f.write_str(" SMTPUTF8")?;
        }
        if parameters.value("REQUIRETLS").is_some() && capabilities.offers("REQUIRETLS") {
            f.write_str(" REQUIRETLS")?;
        }
        Ok(())
    }
}

/// Those parameters about delivery status notifications that have one of these names, each with a
/// blank before it. Nothing for a server without DSN.
struct Dsn<'a>(&'a [Parameter], &'a [&'a str], &'a Capabilities);

impl fmt::Display for Dsn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(parameters, names, capabilities) = self;
        if !capabilities.offers("DSN") {
            return Ok(());
        }
        for Parameter { name, value } in *parameters {
            if names.contains(&&**name) && is_one_word(value) {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}

/// A value that is none comes from no client, and must not become a command of its own.
fn is_one_word(value: &str) -> bool {
    !value.is_empty() && !value.contains(|c: char| c.is_control() || c.is_whitespace())
}
