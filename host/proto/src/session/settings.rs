//! What an operator decides about sessions, and what is special about one.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::auth::{Decoy, Mechanism};
use crate::data::LineEndings;
use crate::fault::Fault;
use crate::parameters::Extensions;
use crate::relay::RelayDomains;
use crate::reply::Reply;
use crate::session::Wait;

/// What holds for each session of a listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name by which the server introduces itself.
    pub hostname: String,
    /// Whether AUTH is offered and needed.
    pub auth: Auth,
    /// Whether AUTH is offered over a connection that is not encrypted.
    pub auth_in_clear: bool,
    /// The text behind the host name in the banner.
    pub banner: String,
    /// How long a command line may take.
    pub command_timeout: Duration,
    /// The domain of an address that has none. Without it such an address is refused.
    pub default_domain: Option<String>,
    /// What is offered to a client that says EHLO.
    pub extensions: Extensions,
    /// What becomes of a CR or LF in DATA that is not part of a CRLF.
    pub line_endings: LineEndings,
    /// Whether a command line may end in a lone LF.
    pub lenient_commands: bool,
    /// The most faults before the session is closed; 0 for no limit.
    pub max_errors: u32,
    /// The largest header block in octets; a larger one is refused.
    pub max_header_size: u32,
    /// The largest message in octets; a larger one is refused.
    pub max_message_size: u32,
    /// The most octets of a line without end before the session is closed.
    pub max_discarded: usize,
    /// The most recipients of one transaction; 0 for no limit.
    pub max_recipients: u32,
    /// The longest line of a message in octets, without its line ending.
    pub max_text_line: usize,
    /// The mechanisms of AUTH, in the order in which EHLO lists those that can be used.
    pub mechanisms: Vec<Mechanism>,
    /// How long a message may take from the 354 reply on.
    pub message_timeout: Duration,
    /// Keywords for the reply to EHLO beside the session's own; see [`is_own_keyword`](super::is_own_keyword).
    pub more_keywords: Vec<String>,
    /// The only keywords for the reply to EHLO, in place of all others.
    pub only_keywords: Option<Vec<String>>,
    /// Whom mail is taken for.
    pub relay: RelayDomains,
    /// What is said to a fault in place of the usual reply, by [`Fault::name`](crate::fault::Fault::name).
    pub replies: BTreeMap<String, Reply>,
    /// Whether MAIL needs angle brackets, and no blank before them.
    pub strict_mail: bool,
    /// The same for RCPT.
    pub strict_rcpt: bool,
    /// Whether nothing is done for a client before it has begun TLS (RFC 3207 §4).
    pub tls_required: bool,
}

impl Settings {
    /// The text behind the host name in the reply to HELO and EHLO, unless policy sets another.
    pub const GREETING: &'static str = "at your service";

    /// What is said to a fault.
    pub(super) fn reply_to(&self, fault: Fault) -> Reply {
        let reworded = self.replies.get(fault.name());
        reworded.cloned().unwrap_or_else(|| fault.into())
    }

    /// How long the client may take for what a read waits for.
    pub const fn patience(&self, wait: Wait) -> Duration {
        match wait {
            Wait::Command => self.command_timeout,
            Wait::Message => self.message_timeout,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hostname: "localhost".into(),
            auth: Auth::Off,
            auth_in_clear: false,
            banner: "ESMTP Postgate".into(),
            default_domain: None,
            extensions: Extensions::default(),
            line_endings: LineEndings::Strict,
            lenient_commands: false,
            // RFC 5321 §4.5.3.2.7.
            command_timeout: Duration::from_secs(5 * 60),
            max_errors: 10,
            max_header_size: 1 << 20,
            max_message_size: 25 << 20,
            max_discarded: 1 << 20,
            max_recipients: 200,
            max_text_line: 1 << 20,
            mechanisms: Mechanism::USUAL.to_vec(),
            // RFC 5321 §4.5.3.2.6, for the whole message.
            message_timeout: Duration::from_secs(10 * 60),
            more_keywords: Vec::new(),
            only_keywords: None,
            relay: RelayDomains::default(),
            replies: BTreeMap::new(),
            strict_mail: false,
            strict_rcpt: false,
            tls_required: false,
        }
    }
}

/// What is special about one session.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Offers {
    /// What keys for unknown users are made of.
    pub decoy: Decoy,
    /// Whether policy answers EXPN.
    pub expn: bool,
    /// Whether policy wants to see each command before it is carried out.
    pub filters_commands: bool,
    /// Whether a PROXY header came before the session, so that another one is a fault.
    pub proxied: bool,
    /// Whether policy has keys for SCRAM, so that [`Ask::AuthKeys`](crate::session::Ask::AuthKeys) has a point.
    pub scram: bool,
    /// Random octets of this session alone, of which nonces and challenges are made. Who can guess
    /// them can replay an exchange.
    pub seed: [u8; 32],
    /// Whether the connection is, or can be, encrypted.
    pub tls: Tls,
    /// Whether the client is trusted to say XCLIENT.
    pub xclient: bool,
}

/// Hides the seed, and of what decoys are made.
impl fmt::Debug for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offers")
            .field("expn", &self.expn)
            .field("filters_commands", &self.filters_commands)
            .field("proxied", &self.proxied)
            .field("scram", &self.scram)
            .field("tls", &self.tls)
            .field("xclient", &self.xclient)
            .finish_non_exhaustive()
    }
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// It is: from its first octet on, or since STARTTLS.
    Active(Channel),
    /// It is not, and cannot be.
    #[default]
    Off,
    /// It is not, and the client may say STARTTLS.
    Offered,
}

impl Tls {
    /// The encrypted channel.
    pub const fn channel(self) -> Option<Channel> {
        match self {
            Self::Active(channel) => Some(channel),
            Self::Off | Self::Offered => None,
        }
    }
}

/// What AUTH needs to know of an encrypted channel.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Channel {
    /// The channel binding `tls-exporter` (RFC 9266): the exporter's 32 octets for the label
    /// `EXPORTER-Channel-Binding` and an empty context. Nothing where the channel has none, as in
    /// TLS 1.2 without the extended master secret.
    pub exporter: Option<[u8; 32]>,
    /// Whether the client has shown a certificate, and it was verified.
    pub client_certificate: bool,
}

/// Hides the exporter's octets.
impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("exporter", &self.exporter.is_some())
            .field("client_certificate", &self.client_certificate)
            .finish()
    }
}

/// Whether AUTH is offered and needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Not offered.
    Off,
    /// Offered.
    Optional,
    /// Offered, and needed before MAIL.
    Required,
}
