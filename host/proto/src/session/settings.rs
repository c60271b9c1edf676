//! What an operator decides about sessions, and what is special about one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::auth::Mechanism;
use crate::data::LineEndings;
use crate::fault::Fault;
use crate::parameters::Extensions;
use crate::relay::RelayDomains;
use crate::reply::Reply;

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
    pub const fn timeout_for(&self, wait: Wait) -> Duration {
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

/// What a session waits for while it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A command line. Its timeout starts with the last reply.
    Command,
    /// The rest of a message. Its timeout starts with the 354 reply, or with BDAT.
    Message,
}
