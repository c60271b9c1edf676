//! The recipients of a message that still have to get it.

use postgate_proto::envelope::Recipient;

use crate::error::DeliveryError;
use crate::memory::Fingerprint;

/// The recipients of a message, divided into those who have it from earlier attempts of the client
/// and those who do not.
#[derive(Debug)]
pub struct Rest<'a> {
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

    /// The error for the whole message if the delivery to [`recipients`](Self::recipients) failed
    /// with this one. A refusal is not passed on if some recipients have the message.
    pub fn failure(&self, error: DeliveryError) -> DeliveryError {
        let (before, recipients) = (self.delivered.len(), self.count());
        match error {
            DeliveryError::Mixed { delivered, .. } => DeliveryError::Mixed {
                delivered: before + delivered,
                recipients,
            },
            DeliveryError::Refused(_) if before > 0 => DeliveryError::Mixed {
                delivered: before,
                recipients,
            },
            error => error,
        }
    }
}
