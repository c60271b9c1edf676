//! The settings of a listener.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::auth::Mechanism;
use crate::data::LineEndings;
use crate::fault::Fault;
use crate::parameters::Extensions;
use crate::relay::RelayDomains;
use crate::reply::Reply;

/// The settings of all sessions of a listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host name of the server.
    pub hostname: String,
    /// Whether AUTH is offered and required.
    pub auth: Auth,
    /// True if AUTH is offered on connections that are not encrypted.
    pub auth_in_clear: bool,
    /// The text after the host name in the banner.
    pub banner: String,
    /// The timeout for a command line.
    pub command_timeout: Duration,
    /// The domain appended to addresses without one. If `None`, such addresses are refused.
    pub default_domain: Option<String>,
    /// The extensions listed in the reply to EHLO.
    pub extensions: Extensions,
    /// The treatment of a CR or LF in DATA that is not part of a CRLF.
    pub line_endings: LineEndings,
    /// True if a command line may end in a bare LF.
    pub lenient_commands: bool,
    /// The number of errors after which the session is closed. 0 means no limit.
    pub max_errors: u32,
    /// The number of commands without a message after which each further one counts as an error: EHLO,
    /// EXPN, HELO, HELP, NOOP, RSET and VRFY. Counting starts again with each accepted message. 0
    /// means no limit.
    pub max_idle_commands: u32,
    /// The number of refused commands and messages after which each further one counts as an error,
    /// until a message is accepted. 0: no limit.
    pub max_refusals: u32,
    /// The maximum size of a header block in octets.
    pub max_header_size: u32,
    /// The maximum size of a message in octets.
    pub max_message_size: u32,
    /// The maximum number of octets without a line ending. A longer line closes the session.
    pub max_discarded: usize,
    /// The maximum number of recipients of a transaction. 0 means no limit.
    pub max_recipients: u32,
    /// The maximum length of a line of a message in octets, without its line ending.
    pub max_text_line: usize,
    /// The AUTH mechanisms, in the order in which EHLO lists those that can be used.
    pub mechanisms: Vec<Mechanism>,
    /// The timeout for a whole message, from the 354 reply on.
    pub message_timeout: Duration,
    /// Keywords added to the reply to EHLO, except those for which
    /// [`is_own_keyword`](crate::session::is_own_keyword) returns true.
    pub more_keywords: Vec<String>,
    /// Replaces all keywords of the reply to EHLO. Those for which
    /// [`is_own_keyword`](crate::session::is_own_keyword) returns true are listed with the parameters that
    /// hold, where they can be used.
    pub only_keywords: Option<Vec<String>>,
    /// The domains that mail is accepted for.
    pub relay: RelayDomains,
    /// Replies to faults that replace the default ones, by [`Fault::name`](crate::fault::Fault::name).
    pub replies: BTreeMap<String, Reply>,
    /// True if the path of MAIL needs angle brackets and no space before them (RFC 5321 §3.3).
    pub strict_mail: bool,
    /// As `strict_mail`, for RCPT.
    pub strict_rcpt: bool,
    /// True if TLS must begin before most commands (RFC 3207 §4).
    pub tls_required: bool,
}

impl Settings {
    /// The default text after the host name in the reply to HELO and EHLO.
    pub const GREETING: &'static str = "at your service";

    /// The configured or default reply to a fault.
    pub(super) fn reply_to(&self, fault: Fault) -> Reply {
        let reworded = self.replies.get(fault.name());
        reworded.cloned().unwrap_or_else(|| fault.into())
    }

    /// The timeout of a read.
    pub const fn timeout_for(&self, wait: Wait) -> Duration {
        match wait.clock() {
            Wait::Command => self.command_timeout,
            Wait::Chunk | Wait::Message => self.message_timeout,
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
            // As Postfix, smtpd_junk_command_limit.
            max_idle_commands: 100,
            max_refusals: 100,
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

/// Whether AUTH is offered and required (RFC 4954).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Not offered.
    Off,
    /// Offered.
    Optional,
    /// Offered, and required before MAIL.
    Required,
}

/// What a session waits for while it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The command line of the next chunk. Its timeout is that of the message.
    Chunk,
    /// A command line. Its timeout starts with the last reply.
    Command,
    /// The rest of a message, or of a chunk of it. Its timeout starts with the 354 reply, or with the
    /// first BDAT.
    Message,
}

impl Wait {
    /// The wait with which this one has its timeout in common.
    #[must_use]
    pub const fn clock(self) -> Self {
        match self {
            Self::Chunk | Self::Message => Self::Message,
            Self::Command => Self::Command,
        }
    }
}
