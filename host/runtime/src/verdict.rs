//! What plugins say, in the gateway's own terms: typed, checked, and free of generated code.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::auth::{Mechanism, ScramKeys};
use postgate_proto::header::{HeaderEdit, HeaderName, HeaderValue};
use postgate_proto::reply::{Acceptance, Refusal};
use postgate_proto::session::Profile;

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

/// What one plugin, or the pipeline of all of them, decided at one event. The contract does not let a
/// plugin say what its event does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it, and ask no further plugin. A pipeline says [`Self::Next`] instead.
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
    /// No objection, from this plugin or from any.
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

impl From<Refusal> for Refused {
    /// A refusal whose reason is the reply itself.
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            reason: None,
        }
    }
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
    /// Change what the session says and accepts.
    Profile(ProfileEdit),
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

/// A change of what the session says and accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileEdit {
    /// List this keyword in the reply to EHLO.
    AddEhloKeyword(String),
    /// Accept this parameter of MAIL.
    AddMailParameter(String),
    /// Accept this parameter of RCPT.
    AddRcptParameter(String),
    /// Ask about this verb.
    AddVerb(String),
    /// Offer no other SASL mechanisms than these.
    LimitMechanisms(Vec<Mechanism>),
    /// The text of the banner.
    SetBanner(String),
    /// The text of the reply to HELO and EHLO.
    SetGreeting(String),
}

impl ProfileEdit {
    /// Changes the profile of a session.
    pub fn apply(&self, profile: &mut Profile) {
        match self {
            Self::AddEhloKeyword(keyword) => profile.add_ehlo_keyword(keyword),
            Self::AddMailParameter(name) => profile.register_mail_parameter(name),
            Self::AddRcptParameter(name) => profile.register_rcpt_parameter(name),
            Self::AddVerb(verb) => profile.register_verb(verb),
            Self::LimitMechanisms(mechanisms) => profile.limit_mechanisms(mechanisms),
            Self::SetBanner(text) => profile.set_banner(text),
            Self::SetGreeting(text) => profile.set_greeting(text),
        }
    }
}
