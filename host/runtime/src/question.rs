//! What plugins are asked: one question an event, which carries the facts of that event.

use std::sync::Arc;

use postgate_contract::Event;
use postgate_proto::address::Charset;
use postgate_proto::auth::Credentials;
use postgate_proto::envelope::Recipient;
use postgate_proto::fault::Fault;
use postgate_proto::reply::Reply;
use postgate_proto::session::{Counters, Ending};

use crate::context::{Context, Introduction, Transaction};

/// A question to plugins. What it is about that is not yet true of the session (a name, a sender, a
/// recipient) stands here and not in the [`Context`].
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// A proxy has named the client.
    Proxy,
    /// A client has connected.
    Connect,
    /// The client introduces itself.
    Helo(&'a Introduction),
    /// The client asks for TLS.
    StartTls,
    /// The keys of this user are needed for SCRAM.
    AuthKeys(&'a str),
    /// The client presents credentials.
    Auth(&'a Credentials),
    /// The client begins this transaction.
    Mail(&'a Arc<Transaction>),
    /// The client names a recipient.
    Rcpt(&'a Recipient),
    /// The client asks to send the message.
    Data,
    /// The header block is complete.
    Headers,
    /// A piece of the body has arrived.
    BodyChunk(&'a BodyChunk),
    /// The message is complete.
    Message,
    /// It is known where the message has ended.
    Outcome(&'a MessageOutcome),
    /// The transaction has ended before its message was complete.
    Reset(ResetCause),
    /// The client asks about a user.
    Vrfy(&'a str),
    /// The client asks about a list.
    Expn(&'a str),
    /// The client asks for help, perhaps about a topic.
    Help(&'a str),
    /// The client has sent a command line.
    Command(&'a CommandLine),
    /// The session has ended.
    Disconnect(SessionSummary),
}

impl Question<'_> {
    /// The event.
    pub const fn event(&self) -> Event {
        match self {
            Self::Proxy => Event::Proxy,
            Self::Connect => Event::Connect,
            Self::Helo(_) => Event::Helo,
            Self::StartTls => Event::StartTls,
            Self::AuthKeys(_) => Event::AuthKeys,
            Self::Auth(_) => Event::Auth,
            Self::Mail(_) => Event::Mail,
            Self::Rcpt(_) => Event::Rcpt,
            Self::Data => Event::Data,
            Self::Headers => Event::Headers,
            Self::BodyChunk(_) => Event::BodyChunk,
            Self::Message => Event::Message,
            Self::Outcome(_) => Event::Outcome,
            Self::Reset(_) => Event::Reset,
            Self::Vrfy(_) => Event::Vrfy,
            Self::Expn(_) => Event::Expn,
            Self::Help(_) => Event::Help,
            Self::Command(_) => Event::Command,
            Self::Disconnect(_) => Event::Disconnect,
        }
    }

    /// Whom or what the question is about, for the tools of authors: a recipient, a host name, an
    /// address.
    pub fn subject(&self, context: &Context) -> String {
        match self {
            Self::Connect | Self::Disconnect(_) | Self::Proxy | Self::StartTls => {
                context.session.remote.ip().to_string()
            }
            Self::AuthKeys(subject)
            | Self::Expn(subject)
            | Self::Help(subject)
            | Self::Vrfy(subject) => (*subject).to_owned(),
            Self::Command(line) => line.verb.to_string(),
            Self::Helo(introduction) => introduction.name.to_string(),
            Self::Auth(credentials) => credentials.identity.clone(),
            Self::Rcpt(recipient) => recipient.path.to_string(),
            Self::Mail(transaction) => transaction.envelope.sender.to_string(),
            Self::Data
            | Self::Headers
            | Self::BodyChunk(_)
            | Self::Message
            | Self::Outcome(_)
            | Self::Reset(_) => context
                .transaction
                .as_ref()
                .map(|transaction| transaction.envelope.sender.to_string())
                .unwrap_or_default(),
        }
    }

    /// As [`Self::subject`], without what the log must not show: a command that the gateway does not
    /// know can be anything that a client sends at a wrong time, its password too.
    pub(crate) fn logged_subject(&self, context: &Context) -> String {
        match self {
            Self::Command(line) if !line.known => Fault::UnknownVerb.name().to_owned(),
            _ => self.subject(context),
        }
    }

    /// The charset of addresses in an answer to the question.
    pub(crate) fn charset(&self, context: &Context) -> Charset {
        let transaction = match self {
            Self::Mail(transaction) => Some(*transaction),
            _ => context.transaction.as_ref(),
        };
        match transaction {
            Some(transaction) if transaction.envelope.parameters.smtputf8 => Charset::Utf8,
            _ => Charset::Ascii,
        }
    }
}

/// A piece of the body of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyChunk {
    /// Where it begins in the body, in octets.
    pub offset: u32,
    /// The octets, as they are kept.
    pub octets: Vec<u8>,
}

/// A command line, before it is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The verb as written.
    pub verb: Box<str>,
    /// What follows the verb.
    pub argument: Box<str>,
    /// The whole line, without its line ending.
    pub line: Box<[u8]>,
    /// True if the gateway knows the command and it is legal now.
    pub known: bool,
}

/// Where a message has ended, and what the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageOutcome {
    /// Where it has ended.
    pub fate: Fate,
    /// The reply to the client.
    pub reply: Reply,
    /// The name under which the client and the log know the message.
    pub id: String,
}

/// Where a message has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// At the backend.
    Delivered,
    /// At the backend for some recipients; the client is asked to send it again for the others.
    DeliveredInPart,
    /// Nowhere: a plugin discarded it.
    Discarded,
    /// In the operator's quarantine.
    Quarantined,
    /// With the client, who was told that it is not taken.
    Refused,
}

impl Fate {
    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::DeliveredInPart => "delivered-in-part",
            Self::Discarded => "discarded",
            Self::Quarantined => "quarantined",
            Self::Refused => "refused",
        }
    }
}

/// What ended a transaction before its message was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetCause {
    /// HELO or EHLO.
    Helo,
    /// The message was refused before it was complete.
    Refused,
    /// RSET.
    Rset,
    /// STARTTLS.
    StartTls,
}

/// How a session ended, and what happened in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    /// Why it ended.
    pub ending: Ending,
    /// What happened in it.
    pub counters: Counters,
}
