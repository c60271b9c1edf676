//! The envelope and the message.

use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::{Extensions, MailParameters, Parameter};
use serde::{Deserialize, Serialize};

use crate::context::{Message, Recipient, Transaction};
use crate::recording::octets::Octets;
use postgate_contract::Event;
use postgate_spool::Content;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Envelope {
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
pub(super) struct Mail {
    started_at: u32,
    completed_at: u32,
    id: Option<String>,
    head: Octets,
    body: Octets,
    /// Whether the body was longer than what was kept of it.
    #[serde(default)]
    is_cut: bool,
}

/// The most octets that are kept of the body of a message.
const MAX_BODY: usize = 1 << 20;

pub(super) fn envelope(transaction: &Transaction) -> Envelope {
    Envelope {
        id: transaction.id.clone(),
        sender: transaction.sender.as_str().to_owned(),
        parameters: pairs(&transaction.parameters.all),
        recipients: transaction
            .paths()
            .map(|path| path.as_str().to_owned())
            .collect(),
        recipient_parameters: transaction
            .recipients
            .iter()
            .filter(|recipient| !recipient.parameters.is_empty())
            .map(named)
            .collect(),
        candidate: transaction.candidate.as_ref().map(named),
    }
}

fn named(recipient: &Recipient) -> (String, Parameters) {
    let path = recipient.path.as_str().to_owned();
    (path, pairs(&recipient.parameters))
}

pub(super) fn pairs(parameters: &[Parameter]) -> Parameters {
    let parameters = parameters.iter();
    parameters
        .map(|parameter| (parameter.name.to_string(), parameter.value.to_string()))
        .collect()
}

pub(super) fn parameters(pairs: &Parameters) -> Vec<Parameter> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| Parameter {
            name: name.as_str().into(),
            value: value.as_str().into(),
        })
        .collect()
}

impl Envelope {
    pub(super) fn transaction(&self) -> Result<Transaction, String> {
        let path = |text: &String| {
            ForwardPath::parse(text, Charset::Utf8).map_err(|_| format!("{text} is no recipient"))
        };
        let recipient = |text: &String, pairs: Option<&Parameters>| {
            Ok::<_, String>(Recipient {
                path: path(text)?,
                parameters: pairs.map(parameters).unwrap_or_default(),
            })
        };
        let mut recipients = Vec::with_capacity(self.recipients.len());
        // Those that have parameters are in the order of the recipients.
        let mut named = self.recipient_parameters.iter().peekable();
        for text in &self.recipients {
            let pairs = named.next_if(|(of, _)| of == text);
            recipients.push(recipient(text, pairs.map(|(_, pairs)| pairs))?);
        }
        let sender = ReversePath::parse(&self.sender, Charset::Utf8)
            .map_err(|_| format!("{} is no sender", self.sender))?;
        Ok(Transaction {
            id: self.id.clone(),
            // Plugins do not see what it was before.
            given_sender: sender.clone(),
            sender,
            parameters: self.mail_parameters()?,
            recipients,
            // Plugins do not see them.
            refused: Vec::new(),
            candidate: self
                .candidate
                .as_ref()
                .map(|(text, pairs)| recipient(text, Some(pairs)))
                .transpose()?,
        })
    }

    /// They are read as they were, whatever plugins had registered.
    pub(super) fn mail_parameters(&self) -> Result<MailParameters, String> {
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

pub(super) fn mail(message: &Message) -> Mail {
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
    pub(super) fn message(&self, event: Event) -> Result<Message, String> {
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
