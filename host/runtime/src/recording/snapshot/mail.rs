//! The recorded transaction and message.

use postgate_contract::Event;
use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::envelope::{self, Recipient};
use postgate_proto::header::HeaderBlock;
use postgate_proto::parameters::{Extensions, MailParameters, Parameter};
use postgate_spool::Content;
use serde::{Deserialize, Serialize};

use super::error::SnapshotError;
use crate::context::{Message, Transaction};
use crate::recording::octets::Octets;

/// The recorded [`Transaction`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::recording) struct Envelope {
    id: String,
    sender: String,
    parameters: Parameters,
    recipients: Vec<RecordedRecipient>,
}

/// The address of a recipient, and its parameters of RCPT.
pub(in crate::recording) type RecordedRecipient = (String, Parameters);

/// Name and value of each ESMTP parameter.
type Parameters = Vec<(String, String)>;

/// The recorded [`Message`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Mail {
    started_at: u32,
    completed_at: u32,
    id: Option<String>,
    /// The header block, with the empty line after it.
    head: Octets,
    body: Octets,
    /// True if `body` is only the beginning of the body.
    #[serde(default)]
    is_cut: bool,
}

/// The greatest number of octets of a body that are recorded.
const MAX_BODY: usize = 1 << 20;

pub(super) fn envelope(transaction: &Transaction) -> Envelope {
    let envelope = &transaction.envelope;
    Envelope {
        id: transaction.id.clone(),
        sender: envelope.sender.as_str().to_owned(),
        parameters: pairs(&envelope.parameters.all),
        recipients: envelope.recipients.iter().map(recorded_recipient).collect(),
    }
}

pub(super) fn recorded_recipient(recipient: &Recipient) -> RecordedRecipient {
    let path = recipient.path.as_str().to_owned();
    (path, pairs(&recipient.parameters))
}

pub(super) fn recipient((path, pairs): &RecordedRecipient) -> Result<Recipient, SnapshotError> {
    Ok(Recipient {
        path: ForwardPath::parse(path, Charset::Utf8).map_err(|error| {
            SnapshotError::Recipient {
                path: path.clone(),
                error,
            }
        })?,
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
    pub(super) fn transaction(&self) -> Result<Transaction, SnapshotError> {
        let sender = ReversePath::parse(&self.sender, Charset::Utf8).map_err(|error| {
            SnapshotError::Sender {
                path: self.sender.clone(),
                error,
            }
        })?;
        let recipients = self.recipients.iter().map(recipient);
        let envelope = envelope::Envelope {
            sender,
            parameters: self.mail_parameters()?,
            recipients: recipients.collect::<Result<_, _>>()?,
        };
        // The original sender and the refused recipients are not recorded: plugins cannot see them.
        Ok(Transaction::new(self.id.clone(), envelope))
    }

    /// The parameters of MAIL. Their names count as registered, as they were in the recorded session.
    fn mail_parameters(&self) -> Result<MailParameters, SnapshotError> {
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
            .map_err(SnapshotError::MailParameters)
    }
}

pub(super) fn mail(message: &Message) -> Mail {
    let mut head = Vec::new();
    message.headers.render(&mut head);
    let mut body = vec![0; MAX_BODY.min(usize::try_from(message.body.len()).unwrap_or(usize::MAX))];
    // If the body cannot be read, the recording goes on without it.
    let length = message.body.read_at(0, &mut body).unwrap_or_default();
    body.truncate(length);
    Mail {
        started_at: message.started_at,
        completed_at: message.completed_at,
        id: message.id.clone(),
        head: Octets(head),
        is_cut: (length as u64) < message.body.len(),
        body: Octets(body),
    }
}

impl Mail {
    pub(super) fn message(&self, event: Event) -> Result<Message, SnapshotError> {
        if self.is_cut {
            return Err(SnapshotError::IncompleteBody {
                event,
                octets: self.body.0.len(),
            });
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
