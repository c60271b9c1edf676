//! What plugins can see: the session, the transaction, the message.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::auth::Credentials;
use postgate_proto::data::LineEndings;
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::{MailParameters, Parameter};
use postgate_proto::proxy::ProxyHeader;
use postgate_proto::reply::Reply;
use postgate_proto::session::Helo;

use crate::plugin::mime::Mime;
use crate::plugin::store::SessionStores;
use crate::spool::Content;

/// The facts of a session as they stand now. Every plugin of the session sees the same.
#[derive(Clone, Debug)]
pub struct Context {
    /// What plugins remember of the session.
    pub stores: SessionStores,
    /// What does not change in a session.
    pub session: Arc<SessionFacts>,
    /// How the client introduced itself, and by which name.
    pub helo: Option<(Helo, Box<str>)>,
    /// The credentials that are being presented.
    pub credentials: Option<Credentials>,
    /// Whom the client acts as, once authenticated.
    pub authenticated_as: Option<Box<str>>,
    /// The transaction under way.
    pub transaction: Option<Transaction>,
    /// The message, as far as it has arrived.
    pub message: Message,
    /// Commands that were refused as errors of the client.
    pub errors: u32,
    /// Name and value of each tag, in order.
    pub tags: Vec<(String, String)>,
    /// What the event is about, where the rest does not say it.
    pub occasion: Option<Occasion>,
}

impl Context {
    /// The facts at connect.
    pub fn new(session: Arc<SessionFacts>) -> Self {
        Self {
            stores: SessionStores::default(),
            session,
            helo: None,
            credentials: None,
            authenticated_as: None,
            transaction: None,
            message: Message::default(),
            errors: 0,
            tags: Vec::new(),
            occasion: None,
        }
    }

    /// The protocol as in a Received line (RFC 3848).
    pub fn protocol(&self) -> &'static str {
        match (&self.helo, &self.authenticated_as) {
            (Some((Helo::Ehlo, _)), Some(_)) => "ESMTPA",
            (Some((Helo::Ehlo, _)), None) => "ESMTP",
            _ => "SMTP",
        }
    }

    /// Which addresses the client may use in this transaction.
    pub fn charset(&self) -> Charset {
        match &self.transaction {
            Some(transaction) if transaction.parameters.smtputf8 => Charset::Utf8,
            _ => Charset::Ascii,
        }
    }
}

/// What does not change in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// Unique among all sessions.
    pub id: String,
    /// Seconds since 1970-01-01 UTC.
    pub connected_at: u32,
    /// The name of the listener.
    pub listener: String,
    /// The name by which the gateway introduces itself.
    pub hostname: String,
    /// Where the client connected to.
    pub local: SocketAddr,
    /// Where the client connected from.
    pub remote: SocketAddr,
    /// The name of the client by reverse DNS, where it is known.
    pub remote_host: Option<String>,
    /// What a proxy said about the client.
    pub proxy: Option<ProxyHeader>,
    /// What the listener does with line endings that are not CRLF.
    pub line_endings: LineEndings,
}

impl SessionFacts {
    /// The name of the client, or its address where it has none.
    pub fn remote_name(&self) -> String {
        match &self.remote_host {
            Some(name) => name.clone(),
            None => self.remote.ip().to_string(),
        }
    }
}

/// A transaction, from MAIL on.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Unique among all transactions.
    pub id: String,
    /// Where errors go.
    pub sender: ReversePath,
    /// The parameters of MAIL.
    pub parameters: MailParameters,
    /// The recipients that were accepted.
    pub recipients: Vec<ForwardPath>,
    /// The recipient that is being decided on.
    pub candidate: Option<(ForwardPath, Vec<Parameter>)>,
}

/// What an event is about, where nothing else in the context says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A user, a list, a topic, or an identity.
    About(Box<str>),
    /// A piece of the body has come in.
    BodyChunk(BodyChunk),
    /// The client has sent a command line.
    Command(CommandLine),
    /// The session is over.
    Disconnect(Summary),
    /// What became of the message is known.
    Outcome(MessageOutcome),
    /// The transaction has ended before its message was complete.
    Reset(Cause),
}

/// A piece of the body of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyChunk {
    /// Where it begins in the body, in octets.
    pub offset: u32,
    /// The octets, as they are kept.
    pub octets: Vec<u8>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageOutcome {
    /// Who has it, if anybody.
    pub fate: Fate,
    /// What the client reads.
    pub reply: Reply,
    /// The name under which the client and the log know the message.
    pub id: String,
}

/// Where a message has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// At the backend.
    Delivered,
    /// Nowhere: a plugin had it dropped.
    Discarded,
    /// In the operator's quarantine.
    Quarantined,
    /// With the client, who was told that it is not taken.
    Refused,
}

/// What ended a transaction before its message was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// HELO, EHLO or LHLO.
    Helo,
    /// The message was refused before it was complete.
    Refused,
    /// RSET.
    Rset,
}

/// A command line, before it is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The verb as written.
    pub verb: Box<str>,
    /// What follows it.
    pub argument: Box<str>,
    /// The whole line, without its line ending.
    pub line: Box<[u8]>,
    /// Whether the gateway knows it.
    pub known: bool,
}

/// A message as it stands now.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// When the client began to send it, in seconds since 1970-01-01 UTC; 0 before.
    pub started_at: u32,
    /// When it was complete, in seconds since 1970-01-01 UTC; 0 before.
    pub completed_at: u32,
    /// Whether the header block is there.
    pub headers_complete: bool,
    /// The header block.
    pub headers: HeaderBlock,
    /// The name that a plugin gave it, in place of the id of the transaction.
    pub id: Option<String>,
    /// Everything behind the header block.
    pub body: Content,
    mime: OnceLock<Arc<Mime>>,
}

impl Message {
    /// A message whose body has not arrived.
    pub fn of_headers(headers: HeaderBlock, started_at: u32) -> Self {
        Self {
            started_at,
            headers_complete: true,
            headers,
            ..Self::default()
        }
    }

    /// Puts the body behind the header block.
    pub fn set_body(&mut self, body: Content) {
        self.body = body;
        self.mime = OnceLock::new();
    }

    /// The parts of the message, where they were looked for.
    pub fn mime(&self) -> Option<&Arc<Mime>> {
        self.mime.get()
    }

    /// Remembers the parts of the message for the plugins to come.
    pub fn set_mime(&self, mime: Arc<Mime>) {
        // Whoever came first has found the same.
        _ = self.mime.set(mime);
    }

    /// The size in octets.
    pub fn size(&self) -> u64 {
        self.headers.size() as u64 + self.body.len()
    }
}

/// What the end of a session looked like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Why it ended.
    pub ending: postgate_proto::session::Ending,
    /// What happened in it.
    pub counters: postgate_proto::session::Counters,
}
