//! The envelope and the message.

use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::envelope::{self, Recipient};
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::{Extensions, MailParameters, Parameter};
use serde::{Deserialize, Serialize};

use crate::context::{Message, Transaction};
use crate::recording::octets::Octets;
use postgate_contract::Event;
use postgate_spool::Content;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Envelope {
    id: String,
    sender: String,
    parameters: Parameters,
    recipients: Vec<NamedRecipient>,
}

/// An address, and the parameters of RCPT.
pub(crate) type NamedRecipient = (String, Parameters);

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
    /// True if the body was longer than what was kept of it.
    #[serde(default)]
    is_cut: bool,
}

/// The most octets that are kept of the body of a message.
const MAX_BODY: usize = 1 << 20;

pub(super) fn envelope(transaction: &Transaction) -> Envelope {
    let envelope = &transaction.envelope;
    Envelope {
        id: transaction.id.clone(),
        sender: envelope.sender.as_str().to_owned(),
        parameters: pairs(&envelope.parameters.all),
        recipients: envelope.recipients.iter().map(named).collect(),
    }
}

pub(super) fn named(recipient: &Recipient) -> NamedRecipient {
    let path = recipient.path.as_str().to_owned();
    (path, pairs(&recipient.parameters))
}

pub(super) fn recipient((path, pairs): &NamedRecipient) -> Result<Recipient, String> {
    Ok(Recipient {
        path: ForwardPath::parse(path, Charset::Utf8)
            .map_err(|error| format!("recipient {path:?}: {error}"))?,
        parameters: parameters(pairs),
    })
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
    pub(super) fn transaction(&self) -> Result<Transaction, String> {
        let sender = ReversePath::parse(&self.sender, Charset::Utf8)
            .map_err(|error| format!("sender {:?}: {error}", self.sender))?;
        let recipients = self.recipients.iter().map(recipient);
        let envelope = envelope::Envelope {
            sender,
            parameters: self.mail_parameters()?,
            recipients: recipients.collect::<Result<_, _>>()?,
        };
        // Plugins see neither the sender as it was given nor the recipients that were refused.
        Ok(Transaction::new(self.id.clone(), envelope))
    }

    /// The parameters as they were read, whatever plugins had registered.
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
