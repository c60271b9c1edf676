//! The questions to plugins: one for each event, with the facts of the event.

use std::sync::Arc;

use postgate_contract::Event;
use postgate_proto::address::Charset;
use postgate_proto::auth::Credentials;
use postgate_proto::envelope::Recipient;
use postgate_proto::fault::Fault;
use postgate_proto::reply::Reply;
use postgate_proto::session::{Counters, Ending};

use crate::context::{Context, Introduction, Transaction};

/// A question to plugins. It contains the facts that plugins decide on, such as a host name, a sender or a
/// recipient. They are not part of the [`Context`] until plugins have accepted them.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// The PROXY header of a proxy has named the client.
    Proxy,
    /// A client has connected.
    Connect,
    /// The client introduces itself with HELO or EHLO.
    Helo(&'a Introduction),
    /// The client asks for TLS with STARTTLS (RFC 3207).
    StartTls,
    /// SCRAM (RFC 5802) needs the keys of this user.
    AuthKeys(&'a str),
    /// The client presents credentials with AUTH (RFC 4954).
    Auth(&'a Credentials),
    /// The client begins this transaction with MAIL.
    Mail(&'a Arc<Transaction>),
    /// The client names a recipient with RCPT.
    Rcpt(&'a Recipient),
    /// The client asks to send the message, with DATA or BDAT.
    Data,
    /// The header block is complete.
    Headers,
    /// A chunk of the body has arrived.
    BodyChunk(&'a BodyChunk),
    /// The message is complete.
    Message,
    /// The gateway has delivered or refused the message.
    Outcome(&'a MessageOutcome),
    /// The transaction ended before its message was complete.
    Reset(ResetCause),
    /// The client asks about a user with VRFY.
    Vrfy(&'a str),
    /// The client asks about a mailing list with EXPN.
    Expn(&'a str),
    /// The client asks for help with HELP. The topic may be empty.
    Help(&'a str),
    /// The client has sent a command line, before it is carried out.
    Command(&'a CommandLine),
    /// The session has ended.
    Disconnect(SessionSummary),
}

impl Question<'_> {
    /// The event of the question.
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

    /// Describes whom or what the question is about, such as a recipient, a host name or an IP address, for
    /// the tools for plugin authors.
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

    /// As [`Self::subject`], for the log. An unknown verb is not shown, since it can be a secret, such as a
    /// password that a client sends at the wrong time.
    pub(crate) fn logged_subject(&self, context: &Context) -> String {
        match self {
            Self::Command(line) if !line.known => Fault::UnknownVerb.name().to_owned(),
            _ => self.subject(context),
        }
    }

    /// The characters that addresses in an answer may have: UTF-8 if MAIL had the parameter SMTPUTF8
    /// (RFC 6531), otherwise ASCII.
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

/// A chunk of the body of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyChunk {
    /// The offset of its first octet in the body.
    pub offset: u32,
    /// The octets, with their line endings as the gateway stores them.
    pub octets: Vec<u8>,
}

/// A command line, before it is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The verb as the client wrote it.
    pub verb: Box<str>,
    /// The argument: what follows the verb and a space.
    pub argument: Box<str>,
    /// The whole line, without its line ending.
    pub line: Box<[u8]>,
    /// True if the gateway knows the command and the state of the session allows it.
    pub known: bool,
}

/// What happened to a message, and what the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageOutcome {
    /// What happened to the message.
    pub fate: Fate,
    /// The reply to the client.
    pub reply: Reply,
    /// The id of the message, in the reply and in the log.
    pub id: String,
}

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The backend accepted it.
    Delivered,
    /// The backend accepted it for some recipients. The client is told to try again for the others.
    DeliveredInPart,
    /// A plugin discarded it.
    Discarded,
    /// A plugin put it into the quarantine.
    Quarantined,
    /// It was refused, so the client still has it.
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

/// The cause of the end of a transaction whose message was not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetCause {
    /// HELO or EHLO.
    Helo,
    /// The transaction or its message was refused.
    Refused,
    /// RSET.
    Rset,
    /// STARTTLS.
    StartTls,
}

/// The end of a session, and its counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    /// The reason for the end.
    pub ending: Ending,
    /// The numbers of commands, errors and messages.
    pub counters: Counters,
}
