//! What plugins say, in the gateway's own terms: typed, checked, and free of generated code.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::auth::ScramKeys;
use postgate_proto::header::{HeaderEdit, HeaderName, HeaderValue};
use postgate_proto::reply::{Acceptance, Refusal};

/// The answer of one plugin at one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// The decision.
    pub verdict: Verdict,
    /// The changes, in order.
    pub edits: Vec<Edit>,
}

impl Opinion {
    /// No objection and no change.
    pub const NEXT: Self = Self {
        verdict: Verdict::Next,
        edits: Vec::new(),
    };
}

/// The decision of one plugin at one event. What an event does not allow cannot be said by the
/// plugin in the first place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it, and ask no further plugin.
    Accept,
    /// Answer the question with this reply.
    Answer(Acceptance),
    /// The credentials are right; act as this identity.
    Authenticate(String),
    /// Refuse this recipient, once the message has come.
    Defer(Refused),
    /// Tell the client that the message was taken, and drop it.
    Discard(String),
    /// Refuse, and close the connection.
    Disconnect(Refused),
    /// These are the keys of the user.
    Keys(ScramKeys),
    /// No objection.
    Next,
    /// Tell the client that the message was taken, and put it into quarantine.
    Quarantine(String),
    /// Refuse.
    Refuse(Refused),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Answer(acceptance) => write!(f, "answer {}", acceptance.reply().code()),
            Self::Authenticate(_) => f.write_str("authenticate"),
            Self::Defer(refused) => write!(f, "defer {}", refused.refusal.reply().code()),
            Self::Discard(_) => f.write_str("discard"),
            Self::Disconnect(refused) => write!(f, "disconnect {}", refused.refusal.reply().code()),
            Self::Keys(_) => f.write_str("keys"),
            Self::Next => f.write_str("next"),
            Self::Quarantine(_) => f.write_str("quarantine"),
            Self::Refuse(refused) => write!(f, "refuse {}", refused.refusal.reply().code()),
        }
    }
}

/// A refusal, with what only the log shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the client reads.
    pub refusal: Refusal,
    /// For the log.
    pub reason: Option<String>,
}

/// A change that a plugin asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Treat the client as somebody else.
    Client(ClientEdit),
    /// Wait before the reply.
    Delay(Duration),
    /// Change the envelope.
    Envelope(EnvelopeEdit),
    /// Change the header block.
    Header(HeaderEdit),
    /// Add a field once the header block is there.
    LaterHeader(HeaderName, HeaderValue),
    /// Replace everything behind the header block.
    ReplaceBody(Vec<u8>),
    /// Know the message under this name.
    SetId(String),
    /// Remember a tag.
    Tag(String, String),
    /// Change what the session says.
    Text(TextEdit),
}

/// A change of who the client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEdit {
    /// Its name.
    Host(String),
    /// Its address.
    Ip(IpAddr),
}

/// A change of the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvelopeEdit {
    /// Deliver to this recipient too.
    AddRecipient(ForwardPath),
    /// Do not deliver to this recipient, and tell the client.
    RefuseRecipient(ForwardPath, Refused),
    /// Do not deliver to this recipient.
    RemoveRecipient(ForwardPath),
    /// Replace the recipient that is being decided on.
    RewriteRecipient(ForwardPath),
    /// Replace the sender.
    RewriteSender(ReversePath),
}

/// A change of what the session says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextEdit {
    /// List this keyword in the reply to EHLO.
    AddEhloKeyword(String),
    /// Take this parameter of MAIL.
    AddMailParameter(String),
    /// Take this parameter of RCPT.
    AddRcptParameter(String),
    /// Ask about this verb.
    AddVerb(String),
    /// Offer no other SASL mechanisms than these.
    LimitMechanisms(Vec<String>),
    /// The text of the banner.
    SetBanner(String),
    /// The text of the reply to HELO and EHLO.
    SetGreeting(String),
}

/// A guest called the host more often than it may.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("exceeded limits.{key} of {limit}")]
pub(super) struct Exceeded {
    /// The key of the limit in the sidecar.
    pub(super) key: &'static str,
    /// The limit.
    pub(super) limit: u32,
}

/// Why a plugin has no answer. Whatever it is, the fault is the plugin's.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The answer breaks a rule of the contract.
    #[error("answered against the contract: {0}")]
    Answer(String),
    /// No instance that sessions share was free in time.
    #[error("exceeded shared-instances: none was free within {0:?}")]
    Busy(Duration),
    /// It used up its time on a processor.
    #[error("exceeded limits.{key} of {limit:?}")]
    Cpu {
        /// The key of the limit in the sidecar.
        key: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// `on-init` said that it cannot work.
    #[error("on-init failed: {0}")]
    Init(String),
    /// It could not be instantiated.
    #[error("cannot be instantiated: {0}")]
    Instantiate(String),
    /// It called the host more often than it may, or with more.
    #[error("exceeded limits.{key} of {limit}")]
    Limit {
        /// The key of the limit in the sidecar.
        key: &'static str,
        /// The limit.
        limit: u32,
    },
    /// It asked for more memory than it may have, and gave up.
    #[error("exceeded limits.memory of {0} octets")]
    Memory(u32),
    /// It was not asked, since it has failed too often.
    #[error("taken out by the breaker")]
    Out,
    /// `on-self-test` said that it does not work.
    #[error("on-self-test failed: {0}")]
    SelfTest(String),
    /// It trapped.
    #[error("trapped: {0}")]
    Trap(String),
    /// It used up its time on the clock.
    #[error("exceeded limits.{key} of {limit:?}")]
    Wall {
        /// The key of the limit in the sidecar.
        key: &'static str,
        /// The limit.
        limit: Duration,
    },
}

impl PluginError {
    /// What happened, in a word: the key of the limit that was exceeded, without its table, or else
    /// `answer`, `breaker`, `init`, `instantiate`, `self-test` or `trap`.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Busy(_) => "shared-instances",
            Self::Cpu { key, .. } | Self::Limit { key, .. } | Self::Wall { key, .. } => key,
            Self::Init(_) => "init",
            Self::Instantiate(_) => "instantiate",
            Self::Memory(_) => "memory",
            Self::Out => "breaker",
            Self::SelfTest(_) => "self-test",
            Self::Trap(_) => "trap",
        }
    }
}
