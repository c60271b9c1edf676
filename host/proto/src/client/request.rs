//! Requests to a server. Their types exclude line endings, so that commands cannot be injected.

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
    /// EHLO. The client sends it itself.
    Ehlo(ClientName),
    /// HELO. The client sends it itself.
    Helo(ClientName),
    /// LHLO. The client sends it itself.
    Lhlo(ClientName),
    /// STARTTLS, for servers that offer it. After a positive reply,
    /// [`ClientStep::StartTls`](crate::client::ClientStep::StartTls) follows.
    StartTls,
    /// AUTH, with a mechanism that the server offers.
    Auth(Authentication),
    /// MAIL.
    ///
    /// SIZE, BODY, SMTPUTF8, REQUIRETLS, RET and ENVID are sent if the server offers them. A message of
    /// 8-bit octets is sent unchanged to a server without 8BITMIME. AUTH is sent as `AUTH=<>` if this
    /// client has authenticated, because the server cannot verify the identity of the original client
    /// (RFC 4954 §5). Other parameters are omitted.
    Mail(ReversePath, MailParameters),
    /// RCPT. NOTIFY and ORCPT are sent if the server offers DSN (RFC 3461).
    Rcpt(ForwardPath, Vec<Parameter>),
    /// DATA.
    Data,
    /// BDAT with the whole message as one chunk, for servers that offer CHUNKING (RFC 3030). The octets
    /// follow without a reply.
    Bdat(Chunk),
    /// BDAT with the first octet of a message. A server that does not honour BDAT would run the octets
    /// of a chunk as commands: one octet is no command, and the reply tells whether more may follow.
    FirstChunk(u8),
    /// RSET.
    Reset,
    /// NOOP.
    Noop,
    /// QUIT.
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
            Self::FirstChunk(_) => Stage::FirstChunk,
            Self::Reset => Stage::Reset,
            Self::Noop => Stage::Noop,
            Self::Quit => Stage::Quit,
        }
    }

    /// Appends the command line, except that of AUTH, which its exchange creates.
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
                // RFC 4954 §5 requires AUTH from an authenticated client.
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
            Self::FirstChunk(_) => "BDAT 1".into(),
            Self::Reset => "RSET".into(),
            Self::Noop => "NOOP".into(),
            Self::Quit => "QUIT".into(),
        };
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
        if let Self::FirstChunk(octet) = self {
            out.push(*octet);
        }
    }
}

/// The name of the client in EHLO, HELO and LHLO: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientName(Box<str>);

impl ClientName {
    /// A domain or an address literal. Only length and characters are checked.
    ///
    /// # Errors
    ///
    /// Fails if the text does not have 1 to 255 visible ASCII characters.
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

/// The name of a client is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName;

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a host name must have 1 to 255 visible ascii characters")
    }
}

impl std::error::Error for InvalidName {}

/// Formats the basic parameters of MAIL that the server offers, each with a space before it.
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

/// Formats the DSN parameters with these names, each with a space before it. Empty if the server does
/// not offer DSN.
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

/// True for a value that cannot inject a command. Parsed parameters always have such values.
fn is_one_word(value: &str) -> bool {
    !value.is_empty() && !value.contains(|c: char| c.is_control() || c.is_whitespace())
}
