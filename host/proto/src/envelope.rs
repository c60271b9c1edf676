//! The envelope of a message (RFC 5598 §2.2, RFC 5321 §2.3.1): who it is from and for.

use crate::address::{ForwardPath, ReversePath};
use crate::parameters::{MailParameters, Parameter};

/// A recipient, with the parameters of RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Where the message goes.
    pub path: ForwardPath,
    /// The ESMTP parameters. Empty for a recipient that no client has named.
    pub parameters: Vec<Parameter>,
}

impl From<ForwardPath> for Recipient {
    /// A recipient without parameters.
    fn from(path: ForwardPath) -> Self {
        Self {
            path,
            parameters: Vec::new(),
        }
    }
}

/// The sender, the parameters of MAIL, and the recipients of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where errors go.
    pub sender: ReversePath,
    /// The ESMTP parameters of MAIL.
    pub parameters: MailParameters,
    /// The recipients, in the order in which they were accepted.
    pub recipients: Vec<Recipient>,
}

impl Envelope {
    /// An envelope without recipients, as MAIL begins it.
    pub const fn new(sender: ReversePath, parameters: MailParameters) -> Self {
        Self {
            sender,
            parameters,
            recipients: Vec::new(),
        }
    }

    /// Where the message goes.
    pub fn paths(&self) -> impl Iterator<Item = &ForwardPath> {
        self.recipients.iter().map(|recipient| &recipient.path)
    }
}
