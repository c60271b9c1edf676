//! What a plugin could see at one event, as data; and the way back.

use std::net::SocketAddr;
use std::sync::Arc;

use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::auth::{Credentials, Mechanism, Proof};
use postgate_proto::data::LineEndings;
use postgate_proto::fault::Fault;
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::{Extensions, MailParameters, Parameter};
use postgate_proto::proxy::ProxyHeader;
use postgate_proto::reply::{Reply, ReplyParser};
use postgate_proto::session::{Counters, Ending, Helo};
use serde::{Deserialize, Serialize};

use super::octets::Octets;
use crate::config::sidecar::Event;
use crate::plugin::context::{
    Authentication, BodyChunk, Cause, ClientCertificate, ClientError, CommandLine, Context, Fate,
    Message, MessageOutcome, Occasion, SessionFacts, Summary, TlsFacts, Transaction,
};
use crate::spool::Content;

/// What a plugin could see at one event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Snapshot {
    session: Session,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
    /// HELO or EHLO, and the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    helo: Option<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<Claim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<Authenticated>,
    banner: String,
    greeting: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<Envelope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Mail>,
    errors: u32,
    /// When, and which.
    faults: Vec<(u32, String)>,
    tags: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occasion: Option<Matter>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Session {
    id: String,
    connected_at: u32,
    listener: String,
    hostname: String,
    local: SocketAddr,
    remote: SocketAddr,
    remote_host: Option<String>,
    proxy: Option<Proxy>,
    line_endings: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Proxy {
    version: u8,
    addresses: Option<(SocketAddr, SocketAddr)>,
    authority: Option<String>,
    alpn: Option<Octets>,
    tls: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Tls {
    since: u32,
    version: String,
    cipher: String,
    server_name: Option<String>,
    alpn: Option<String>,
    client_certificate: Option<Certificate>,
    is_resumed: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Certificate {
    subject: String,
    issuer: String,
    names: Vec<String>,
    fingerprint: String,
    verified: bool,
}

/// Who a client says it is, without what proves it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Claim {
    mechanism: String,
    identity: String,
    act_as: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Authenticated {
    since: u32,
    mechanism: String,
    identity: String,
    acts_as: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Envelope {
    id: String,
    sender: String,
    parameters: Parameters,
    recipients: Vec<String>,
    recipient_parameters: Vec<(String, Parameters)>,
    candidate: Option<(String, Parameters)>,
}

/// Name and value of each ESMTP parameter.
type Parameters = Vec<(String, String)>;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Mail {
    started_at: u32,
    completed_at: u32,
    id: Option<String>,
    head: Octets,
    body: Octets,
    /// Whether the body was longer than what was kept of it.
    #[serde(default)]
    is_cut: bool,
}

/// What an event is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Matter {
    About(String),
    BodyChunk {
        offset: u32,
        octets: Octets,
    },
    Command {
        verb: String,
        argument: String,
        line: Octets,
        known: bool,
    },
    Disconnect {
        ending: String,
        commands: u32,
        errors: u32,
        messages: u32,
    },
    Outcome {
        fate: String,
        reply: Vec<String>,
        id: String,
    },
    Reset(String),
}

/// The most octets that are kept of the body of a message.
const MAX_BODY: usize = 1 << 20;

impl Snapshot {
    /// What there is to be seen at an event.
    pub(super) fn of(context: &Context, event: Event) -> Self {
        let has_message = matches!(event, Event::Headers | Event::BodyChunk | Event::Message);
        Self {
            session: session(&context.session),
            tls: context.tls.as_deref().map(tls),
            helo: context.helo.as_ref().map(|(kind, name)| {
                let kind = find_name(&HELOS, kind);
                (kind.to_owned(), name.to_string())
            }),
            credentials: context.credentials.as_ref().map(|credentials| Claim {
                mechanism: credentials.mechanism.name().to_owned(),
                identity: credentials.identity.clone(),
                act_as: credentials.act_as.clone(),
            }),
            authentication: context.authentication.as_ref().map(|done| Authenticated {
                since: done.since,
                mechanism: done.mechanism.to_owned(),
                identity: done.identity.to_string(),
                acts_as: done.acts_as.to_string(),
            }),
            banner: context.banner.to_string(),
            greeting: context.greeting.to_string(),
            transaction: context.transaction.as_ref().map(envelope),
            message: has_message.then(|| mail(&context.message)),
            errors: context.errors,
            faults: context
                .faults
                .iter()
                .map(|error| (error.at, error.fault.to_owned()))
                .collect(),
            tags: context.tags.clone(),
            occasion: context.occasion.as_ref().map(matter),
        }
    }

    /// The context again.
    ///
    /// # Errors
    ///
    /// What stands in the recording and cannot be, in words.
    pub(super) fn context(&self, event: Event) -> Result<Context, String> {
        let mut context = Context::new(Arc::new(self.session.facts()?));
        context.tls = match &self.tls {
            Some(tls) => Some(Arc::new(tls.facts()?)),
            None => None,
        };
        context.helo = match &self.helo {
            Some((kind, name)) => Some((*find(&HELOS, kind)?, name.as_str().into())),
            None => None,
        };
        context.credentials = match &self.credentials {
            Some(claim) => Some(claim.credentials()?),
            None => None,
        };
        context.authentication = match &self.authentication {
            Some(done) => Some(Authentication {
                since: done.since,
                mechanism: mechanism_name(&done.mechanism)?,
                identity: done.identity.as_str().into(),
                acts_as: done.acts_as.as_str().into(),
            }),
            None => None,
        };
        context.banner = self.banner.as_str().into();
        context.greeting = self.greeting.as_str().into();
        context.transaction = match &self.transaction {
            Some(envelope) => Some(envelope.transaction()?),
            None => None,
        };
        if let Some(mail) = &self.message {
            context.message = mail.message(event)?;
        }
        context.errors = self.errors;
        for (at, fault) in &self.faults {
            let fault = Fault::ALL
                .map(Fault::name)
                .into_iter()
                .find(|name| name == fault);
            let fault = fault.ok_or("a fault that this gateway does not know")?;
            context.faults.push(ClientError { at: *at, fault });
        }
        context.tags.clone_from(&self.tags);
        context.occasion = match &self.occasion {
            Some(matter) => Some(matter.occasion()?),
            None => None,
        };
        Ok(context)
    }
}

fn session(facts: &SessionFacts) -> Session {
    Session {
        id: facts.id.clone(),
        connected_at: facts.connected_at,
        listener: facts.listener.clone(),
        hostname: facts.hostname.clone(),
        local: facts.local,
        remote: facts.remote,
        remote_host: facts.remote_host.clone(),
        proxy: facts.proxy.as_ref().map(|proxy| Proxy {
            version: proxy.version,
            addresses: proxy.addresses,
            authority: proxy.authority.clone(),
            alpn: proxy.alpn.clone().map(Octets),
            tls: proxy.tls,
        }),
        line_endings: find_name(&LINE_ENDINGS, &facts.line_endings).to_owned(),
    }
}

impl Session {
    fn facts(&self) -> Result<SessionFacts, String> {
        Ok(SessionFacts {
            id: self.id.clone(),
            connected_at: self.connected_at,
            listener: self.listener.clone(),
            hostname: self.hostname.clone(),
            local: self.local,
            remote: self.remote,
            remote_host: self.remote_host.clone(),
            proxy: self.proxy.clone().map(|proxy| ProxyHeader {
                version: proxy.version,
                addresses: proxy.addresses,
                authority: proxy.authority,
                alpn: proxy.alpn.map(|Octets(octets)| octets),
                tls: proxy.tls,
            }),
            line_endings: *find(&LINE_ENDINGS, &self.line_endings)?,
        })
    }
}

fn tls(facts: &TlsFacts) -> Tls {
    Tls {
        since: facts.since,
        version: facts.version.to_owned(),
        cipher: facts.cipher.clone(),
        server_name: facts.server_name.clone(),
        alpn: facts.alpn.clone(),
        client_certificate: facts.client_certificate.clone().map(|shown| Certificate {
            subject: shown.subject,
            issuer: shown.issuer,
            names: shown.names,
            fingerprint: shown.fingerprint,
            verified: shown.verified,
        }),
        is_resumed: facts.is_resumed,
    }
}

impl Tls {
    fn facts(&self) -> Result<TlsFacts, String> {
        let versions = ["TLSv1.2", "TLSv1.3"];
        let version = versions
            .into_iter()
            .find(|version| *version == self.version);
        Ok(TlsFacts {
            since: self.since,
            version: version.ok_or("a version of TLS that this gateway does not know")?,
            cipher: self.cipher.clone(),
            server_name: self.server_name.clone(),
            alpn: self.alpn.clone(),
            client_certificate: self
                .client_certificate
                .clone()
                .map(|shown| ClientCertificate {
                    subject: shown.subject,
                    issuer: shown.issuer,
                    names: shown.names,
                    fingerprint: shown.fingerprint,
                    verified: shown.verified,
                }),
            is_resumed: self.is_resumed,
        })
    }
}

impl Claim {
    fn credentials(&self) -> Result<Credentials, String> {
        Ok(Credentials {
            mechanism: Mechanism::parse(&self.mechanism)
                .ok_or("a mechanism that this gateway does not know")?,
            identity: self.identity.clone(),
            act_as: self.act_as.clone(),
            proof: Proof::Verified,
        })
    }
}

fn mechanism_name(name: &str) -> Result<&'static str, String> {
    match Mechanism::parse(name) {
        Some(mechanism) => Ok(mechanism.name()),
        None if name == XCLIENT => Ok(XCLIENT),
        None => Err("a mechanism that this gateway does not know".to_owned()),
    }
}

const XCLIENT: &str = "XCLIENT";

fn envelope(transaction: &Transaction) -> Envelope {
    Envelope {
        id: transaction.id.clone(),
        sender: transaction.sender.as_str().to_owned(),
        parameters: pairs(&transaction.parameters.all),
        recipients: transaction
            .recipients
            .iter()
            .map(|path| path.as_str().to_owned())
            .collect(),
        recipient_parameters: transaction
            .recipient_parameters
            .iter()
            .map(|(path, parameters)| (path.as_str().to_owned(), pairs(parameters)))
            .collect(),
        candidate: transaction
            .candidate
            .as_ref()
            .map(|(path, parameters)| (path.as_str().to_owned(), pairs(parameters))),
    }
}

fn pairs(parameters: &[Parameter]) -> Parameters {
    let parameters = parameters.iter();
    parameters
        .map(|parameter| (parameter.name.to_string(), parameter.value.to_string()))
        .collect()
}

fn parameters(pairs: &Parameters) -> Vec<Parameter> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| Parameter {
            name: name.as_str().into(),
            value: value.as_str().into(),
        })
        .collect()
}

impl Envelope {
    fn transaction(&self) -> Result<Transaction, String> {
        let path = |text: &String| {
            ForwardPath::parse(text, Charset::Utf8).map_err(|_| format!("{text} is no recipient"))
        };
        let named = |(text, pairs): &(String, Parameters)| Ok((path(text)?, parameters(pairs)));
        Ok(Transaction {
            id: self.id.clone(),
            sender: ReversePath::parse(&self.sender, Charset::Utf8)
                .map_err(|_| format!("{} is no sender", self.sender))?,
            parameters: self.mail_parameters()?,
            recipients: self
                .recipients
                .iter()
                .map(path)
                .collect::<Result<_, String>>()?,
            recipient_parameters: self
                .recipient_parameters
                .iter()
                .map(named)
                .collect::<Result<_, String>>()?,
            // Plugins do not see them.
            refused: Vec::new(),
            candidate: self.candidate.as_ref().map(named).transpose()?,
        })
    }

    /// They are read as they were, whatever plugins had registered.
    fn mail_parameters(&self) -> Result<MailParameters, String> {
        let known: Vec<Box<str>> = self
            .parameters
            .iter()
            .map(|(name, _)| name.as_str().into())
            .collect();
        let words = self
            .parameters
            .iter()
            .map(|(name, value)| match value.as_str() {
                "" => name.clone(),
                value => format!("{name}={value}"),
            });
        let text = words.collect::<Vec<_>>().join(" ");
        MailParameters::parse(&text, &Extensions::default(), &known)
            .map_err(|fault| format!("parameters of MAIL: {}", fault.name()))
    }
}

fn mail(message: &Message) -> Mail {
    let mut head = Vec::new();
    message.headers.render(&mut head);
    let mut body = vec![0; MAX_BODY.min(usize::try_from(message.body.len()).unwrap_or(usize::MAX))];
    // What cannot be read is not kept.
    let kept = message.body.read_at(0, &mut body).unwrap_or_default();
    body.truncate(kept);
    Mail {
        started_at: message.started_at,
        completed_at: message.completed_at,
        id: message.id.clone(),
        head: Octets(head),
        is_cut: (kept as u64) < message.body.len(),
        body: Octets(body),
    }
}

impl Mail {
    fn message(&self, event: Event) -> Result<Message, String> {
        if self.is_cut {
            return Err(format!(
                "{event}, since only {} octets of the body were kept",
                self.body.0.len()
            ));
        }
        let headers = HeaderBlock::parse(self.head.0.clone());
        let mut message = Message::of_headers(headers, self.started_at);
        message.id.clone_from(&self.id);
        if event == Event::Message {
            message.set_body(Content::from(self.body.0.clone()));
            message.completed_at = self.completed_at;
        }
        Ok(message)
    }
}

fn matter(occasion: &Occasion) -> Matter {
    match occasion {
        Occasion::About(subject) => Matter::About(subject.to_string()),
        Occasion::BodyChunk(chunk) => Matter::BodyChunk {
            offset: chunk.offset,
            octets: Octets(chunk.octets.clone()),
        },
        Occasion::Command(command) => Matter::Command {
            verb: command.verb.to_string(),
            argument: command.argument.to_string(),
            line: Octets(command.line.to_vec()),
            known: command.known,
        },
        Occasion::Disconnect(summary) => Matter::Disconnect {
            ending: find_name(&ENDINGS, &summary.ending).to_owned(),
            commands: summary.counters.commands,
            errors: summary.counters.errors,
            messages: summary.counters.messages,
        },
        Occasion::Outcome(outcome) => Matter::Outcome {
            fate: find_name(&FATES, &outcome.fate).to_owned(),
            reply: lines(&outcome.reply),
            id: outcome.id.clone(),
        },
        Occasion::Reset(cause) => Matter::Reset(find_name(&CAUSES, cause).to_owned()),
    }
}

impl Matter {
    fn occasion(&self) -> Result<Occasion, String> {
        Ok(match self {
            Self::About(subject) => Occasion::About(subject.as_str().into()),
            Self::BodyChunk { offset, octets } => Occasion::BodyChunk(BodyChunk {
                offset: *offset,
                octets: octets.0.clone(),
            }),
            Self::Command {
                verb,
                argument,
                line,
                known,
            } => Occasion::Command(CommandLine {
                verb: verb.as_str().into(),
                argument: argument.as_str().into(),
                line: line.0.clone().into(),
                known: *known,
            }),
            Self::Disconnect {
                ending,
                commands,
                errors,
                messages,
            } => Occasion::Disconnect(Summary {
                ending: *find(&ENDINGS, ending)?,
                counters: Counters {
                    commands: *commands,
                    errors: *errors,
                    messages: *messages,
                },
            }),
            Self::Outcome { fate, reply, id } => Occasion::Outcome(MessageOutcome {
                fate: *find(&FATES, fate)?,
                reply: reply_of(reply)?,
                id: id.clone(),
            }),
            Self::Reset(cause) => Occasion::Reset(*find(&CAUSES, cause)?),
        })
    }
}

fn lines(reply: &Reply) -> Vec<String> {
    let mut octets = Vec::new();
    reply.write(&mut octets);
    let text = String::from_utf8_lossy(&octets);
    text.lines().map(str::to_owned).collect()
}

fn reply_of(lines: &[String]) -> Result<Reply, String> {
    let mut parser = ReplyParser::default();
    for line in lines {
        match parser.line(line.as_bytes()) {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("half a reply".to_owned())
}

type Names<T, const N: usize> = [(&'static str, T); N];

fn find_name<T: PartialEq, const N: usize>(names: &Names<T, N>, value: &T) -> &'static str {
    let named = names.iter().find(|(_, other)| other == value);
    named.map_or("", |(name, _)| name)
}

fn find<'a, T, const N: usize>(names: &'a Names<T, N>, name: &str) -> Result<&'a T, String> {
    let named = names.iter().find(|(other, _)| *other == name);
    let (_, value) = named.ok_or_else(|| format!("{name:?} means nothing to this gateway"))?;
    Ok(value)
}

const HELOS: Names<Helo, 2> = [("EHLO", Helo::Ehlo), ("HELO", Helo::Helo)];

const LINE_ENDINGS: Names<LineEndings, 4> = [
    ("ensure", LineEndings::Ensure),
    ("ensure-legacy", LineEndings::EnsureLegacy),
    ("leave", LineEndings::Leave),
    ("strict", LineEndings::Strict),
];

const FATES: Names<Fate, 4> = [
    ("delivered", Fate::Delivered),
    ("discarded", Fate::Discarded),
    ("quarantined", Fate::Quarantined),
    ("refused", Fate::Refused),
];

const CAUSES: Names<Cause, 4> = [
    ("helo", Cause::Helo),
    ("refused", Cause::Refused),
    ("rset", Cause::Rset),
    ("starttls", Cause::StartTls),
];

const ENDINGS: Names<Ending, 7> = [
    ("closed", Ending::Closed),
    ("disconnected", Ending::Disconnected),
    ("endless-line", Ending::EndlessLine),
    ("quit", Ending::Quit),
    ("shutdown", Ending::Shutdown),
    ("timeout", Ending::Timeout),
    ("too-many-errors", Ending::TooManyErrors),
];
