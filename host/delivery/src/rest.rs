//! One attempt of a client to send a message, and what is left of it to deliver.

use std::net::IpAddr;

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::envelope::Recipient;

use crate::error::{DeliveryError, Mixed};
use crate::memory::Fingerprint;
use crate::message::OriginalMessage;

/// One attempt of a client to send a message.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    /// The client.
    pub client: IpAddr,
    /// The size of the message that the client has declared (RFC 1870), in octets.
    pub size: Option<u64>,
    /// The message as the client sent it.
    pub message: OriginalMessage<'a>,
    /// The recipients who are to get the message.
    pub recipients: &'a [Recipient],
    /// Recipients whom the client has named in this session and who are not to get the message,
    /// because they were refused. They may show that the attempt is a retry.
    pub others: Vec<&'a ForwardPath>,
}

/// What a client says of a message before it sends it, by which its next attempt is recognised at RCPT.
#[derive(Clone, Copy, Debug)]
pub struct Announced<'a> {
    /// The client.
    pub client: IpAddr,
    /// The sender that the client has named.
    pub sender: &'a ReversePath,
    /// The size that the client has declared (RFC 1870), in octets. It is the same at every attempt,
    /// and tells one message of a sender from the next.
    pub size: Option<u64>,
}

impl<'a> Attempt<'a> {
    pub(crate) const fn announced(&self) -> Announced<'a> {
        Announced {
            client: self.client,
            sender: self.message.sender,
            size: self.size,
        }
    }

    /// Everybody whom the client has named, and whom plugins have added.
    pub(crate) fn named(&self) -> impl Iterator<Item = &'a ForwardPath> {
        let recipients = self.recipients.iter().map(|recipient| &recipient.path);
        recipients.chain(self.others.iter().copied())
    }
}

/// The recipients of a message, divided into those who have it from earlier attempts of the client
/// and those who do not.
#[derive(Debug)]
pub struct Rest<'a> {
    pub(crate) attempt: Attempt<'a>,
    pub(crate) recipients: Vec<&'a Recipient>,
    pub(crate) delivered: Vec<&'a Recipient>,
    /// `None` if no message had to be recognised.
    pub(crate) message: Option<Fingerprint>,
}

impl<'a> Rest<'a> {
    /// The recipients who do not have the message, in the order of the envelope.
    pub fn recipients(&self) -> &[&'a Recipient] {
        &self.recipients
    }

    /// True if there are recipients and all of them have the message.
    pub const fn is_delivered(&self) -> bool {
        self.recipients.is_empty() && !self.delivered.is_empty()
    }

    /// The number of recipients, with or without the message.
    pub const fn count(&self) -> usize {
        self.recipients.len() + self.delivered.len()
    }

    /// What became of the message for each recipient, if the delivery to
    /// [`recipients`](Self::recipients) failed with this error.
    ///
    /// # Errors
    ///
    /// Returns the error as it is if it is all that there is to say: nobody has the message, and all
    /// are told the same.
    pub(crate) fn mixed(&self, error: DeliveryError) -> Result<Mixed, DeliveryError> {
        let before = self.delivered.iter().map(|recipient| &recipient.path);
        let mut mixed = match error {
            DeliveryError::Mixed(mixed) => mixed,
            error if self.delivered.is_empty() => return Err(error),
            DeliveryError::Refused(refusal) => {
                let paths = self.recipients.iter().map(|recipient| &recipient.path);
                Mixed {
                    refused: paths.map(|path| (path.clone(), refusal.clone())).collect(),
                    ..Mixed::default()
                }
            }
            error => Mixed {
                cause: Some(Box::new(error)),
                ..Mixed::default()
            },
        };
        mixed.delivered.extend(before.cloned());
        mixed.recipients = self.count();
        Ok(mixed)
    }
}
