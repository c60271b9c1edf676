//! The answers of plugins: verdicts and edits, checked and independent of generated types.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::auth::{KeyShape, Mechanism, ScramKeys};
use postgate_proto::header::{HeaderEdit, HeaderName, HeaderValue};
use postgate_proto::reply::{Acceptance, Refusal};
use postgate_proto::session::Profile;

/// The answer of one plugin at one event.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginAnswer {
    /// The decision.
    pub verdict: Verdict,
    /// The edits, in the order in which they are applied.
    pub edits: Vec<Edit>,
}

impl PluginAnswer {
    /// The answer without objection or edits.
    pub const NEXT: Self = Self {
        verdict: Verdict::Next,
        edits: Vec::new(),
    };
}

/// The decision of a plugin, or of all plugins of a pipeline, at one event. The contract restricts which of
/// them are possible at which event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Accept, and ask no further plugin. A pipeline returns [`Self::Next`] instead.
    Accept,
    /// Send this positive reply to VRFY, EXPN, HELP or another command.
    Answer(Acceptance),
    /// Accept the credentials. The client acts as this authorization identity.
    Authenticate(String),
    /// The user is unknown, and shall look like one whose keys have this shape (SCRAM).
    Decoy(KeyShape),
    /// Refuse this recipient, but only after the message was received.
    Defer(Refused),
    /// Accept the message, and drop it. The reason is for the log.
    Discard(String),
    /// Refuse, and close the connection.
    Disconnect(Refused),
    /// Verify the user with these keys (SCRAM).
    Keys(ScramKeys),
    /// No objection, from this plugin or from all plugins of the pipeline.
    Next,
    /// Accept the message, and put it into the quarantine. The reason is for the log.
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
            Self::Decoy(_) => f.write_str("next"),
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

/// A refusal, with a reason for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The reply to the client.
    pub refusal: Refusal,
    /// The reason, which only the log shows. `None` if the reply says enough.
    pub reason: Option<String>,
}

impl From<Refusal> for Refused {
    /// Converts a refusal without a separate reason.
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
    /// Change the client's address or host name.
    Client(ClientEdit),
    /// Wait this long before the reply.
    Delay(Duration),
    /// Change the envelope.
    Envelope(EnvelopeEdit),
    /// Change the header block.
    Header(HeaderEdit),
    /// Add a header field before all others, after the header block has arrived.
    PrependHeader(HeaderName, HeaderValue),
    /// Replace the body. Its lines end with CRLF.
    ReplaceBody(Vec<u8>),
    /// Set the id of the message.
    SetId(String),
    /// Add a tag with this name and value to the session.
    Tag(String, String),
    /// Change the texts and extensions of the session.
    Profile(ProfileEdit),
}

/// A change of the client's address or host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEdit {
    /// The host name.
    Host(String),
    /// The IP address.
    Ip(IpAddr),
}

/// A change of the envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvelopeEdit {
    /// Add this recipient.
    AddRecipient(ForwardPath),
    /// Remove this recipient, and report the refusal to the client.
    RefuseRecipient(ForwardPath, Refused),
    /// Remove this recipient, without a report to the client.
    RemoveRecipient(ForwardPath),
    /// Replace the recipient of the current RCPT command.
    RewriteRecipient(ForwardPath),
    /// Replace the sender.
    RewriteSender(ReversePath),
}

/// A change of the texts and extensions of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileEdit {
    /// List this keyword with its parameters in the reply to EHLO.
    AddEhloKeyword(String),
    /// Accept this parameter of MAIL.
    AddMailParameter(String),
    /// Accept this parameter of RCPT.
    AddRcptParameter(String),
    /// Accept commands with this verb, and ask plugins about them.
    AddVerb(String),
    /// Offer only these SASL mechanisms.
    LimitMechanisms(Vec<Mechanism>),
    /// Set the text after the host name in the banner.
    SetBanner(String),
    /// Set the text after the host name in the reply to HELO and EHLO.
    SetGreeting(String),
}

impl ProfileEdit {
    /// Applies the edit to the profile of a session.
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
