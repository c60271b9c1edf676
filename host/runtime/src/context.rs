//! What plugins can see: the session, the transaction, the message.

mod facts;

use std::sync::{Arc, OnceLock};

use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::auth::Credentials;
use postgate_proto::header::{HeaderBlock, HeaderEdit};
use postgate_proto::parameters::{MailParameters, Parameter};
use postgate_proto::reply::{Refusal, Reply};
use postgate_proto::session::{Helo, Settings};

pub use self::facts::{
    Authentication, ClientCertificate, ClientError, Faults, RemoteHost, SessionFacts, TlsFacts,
};
use crate::host_calls::HostCallLog;
use crate::store::SessionStores;
use crate::verdict::TextEdit;
use postgate_mime::Mime;
use postgate_spool::Content;

/// The facts of a session as they stand now. Every plugin of the session sees the same.
#[derive(Clone, Debug)]
pub struct Context {
    /// What plugins remember of the session.
    pub stores: SessionStores,
    /// Keeps or gives what plugins learn from outside, where the session is recorded or replayed.
    pub tape: HostCallLog,
    /// What does not change in a session.
    pub session: Arc<SessionFacts>,
    /// How the session is encrypted, where it is.
    pub tls: Option<Arc<TlsFacts>>,
    /// How the client introduced itself, and by which name.
    pub helo: Option<(Helo, Box<str>)>,
    /// The credentials that are being presented.
    pub credentials: Option<Credentials>,
    /// How the client has authenticated.
    pub authentication: Option<Authentication>,
    /// The text behind the host name in the banner.
    pub banner: Box<str>,
    /// The text behind the host name in the reply to HELO and EHLO.
    pub greeting: Box<str>,
    /// The transaction under way.
    pub transaction: Option<Transaction>,
    /// The message, as far as it has arrived.
    pub message: Message,
    /// Commands that were refused as errors of the client.
    pub errors: u32,
    /// The latest of them.
    pub faults: Faults,
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
            tape: HostCallLog::default(),
            session,
            tls: None,
            helo: None,
            credentials: None,
            authentication: None,
            banner: Box::default(),
            greeting: Box::default(),
            transaction: None,
            message: Message::default(),
            errors: 0,
            faults: Faults::default(),
            tags: Vec::new(),
            occasion: None,
        }
    }

    /// The protocol as in a Received line (RFC 3848).
    pub fn protocol(&self) -> &'static str {
        let is_extended = matches!(&self.helo, Some((Helo::Ehlo, _)));
        match (is_extended, &self.tls, &self.authentication) {
            (true, Some(_), Some(_)) => "ESMTPSA",
            (true, Some(_), None) => "ESMTPS",
            (true, None, Some(_)) => "ESMTPA",
            (true, None, None) => "ESMTP",
            (false, _, _) => "SMTP",
        }
    }

    /// Whom the client acts as, once authenticated.
    pub fn authenticated_as(&self) -> Option<&str> {
        self.authentication
            .as_ref()
            .map(|authentication| &*authentication.acts_as)
    }

    /// Forgets what the client has said, and what plugins have made of it.
    pub fn forget_client(&mut self, settings: &Settings) {
        self.stores = SessionStores::default();
        self.helo = None;
        self.authentication = None;
        self.faults = Faults::default();
        self.tags = Vec::new();
        self.say_usual(settings);
    }

    /// What the session says as long as plugins do not change it.
    pub fn say_usual(&mut self, settings: &Settings) {
        self.banner = settings.banner.as_str().into();
        self.greeting = Settings::GREETING.into();
    }

    /// Remembers what the session says from now on.
    pub fn say(&mut self, text: &TextEdit) {
        match text {
            TextEdit::SetBanner(text) => self.banner = text.as_str().into(),
            TextEdit::SetGreeting(text) => self.greeting = text.as_str().into(),
            _ => {}
        }
    }

    /// The name under which the client and the log know the message. Nothing outside a transaction.
    pub fn message_id(&self) -> &str {
        match (&self.message.id, &self.transaction) {
            (Some(id), _) => id,
            (None, Some(transaction)) => &transaction.id,
            (None, None) => "",
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

/// A transaction, from MAIL on.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Unique among all transactions.
    pub id: String,
    /// Where errors go.
    pub sender: ReversePath,
    /// The same as the client gave it, whatever plugins have made of it.
    pub given_sender: ReversePath,
    /// The parameters of MAIL.
    pub parameters: MailParameters,
    /// The recipients that were accepted.
    pub recipients: Vec<Recipient>,
    /// Recipients that do not get the message, of which the client hears when it has come.
    pub refused: Vec<(ForwardPath, Refusal)>,
    /// The recipient that is being decided on.
    pub candidate: Option<Recipient>,
}

impl Transaction {
    /// Where the message goes.
    pub fn paths(&self) -> impl Iterator<Item = &ForwardPath> {
        self.recipients.iter().map(|recipient| &recipient.path)
    }
}

/// A recipient, with what the client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Where the message goes.
    pub path: ForwardPath,
    /// The parameters of RCPT.
    pub parameters: Vec<Parameter>,
}

impl From<ForwardPath> for Recipient {
    /// One that no client has named.
    fn from(path: ForwardPath) -> Self {
        Self {
            path,
            parameters: Vec::new(),
        }
    }
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
    /// At the backend for some recipients; the client is asked to send it again for the others.
    DeliveredInPart,
    /// Nowhere: a plugin had it dropped.
    Discarded,
    /// In the operator's quarantine.
    Quarantined,
    /// With the client, who was told that it is not taken.
    Refused,
}

impl Fate {
    /// The name in the log.
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
pub enum Cause {
    /// HELO, EHLO or LHLO.
    Helo,
    /// The message was refused before it was complete.
    Refused,
    /// RSET.
    Rset,
    /// STARTTLS.
    StartTls,
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

    /// Changes the header block, which may say something else about the parts then.
    pub fn edit_headers(&mut self, edit: &HeaderEdit) {
        self.headers.apply(edit);
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
