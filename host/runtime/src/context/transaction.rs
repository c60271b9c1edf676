//! A mail transaction.

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::envelope::Envelope;
use postgate_proto::reply::Refusal;

/// A mail transaction (RFC 5321 §3.3), which begins with MAIL. It owns the envelope.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The id of the transaction, unique among all transactions.
    pub id: String,
    /// The sender and the recipients, after the edits of plugins.
    pub envelope: Envelope,
    /// The sender as the client gave it in MAIL, before the edits of plugins.
    pub given_sender: ReversePath,
    /// The recipients that plugins refused after RCPT had accepted them. The client is told after the
    /// message.
    pub refused: Vec<(ForwardPath, Refusal)>,
}

impl Transaction {
    /// Creates a transaction without refused recipients.
    pub fn new(id: String, envelope: Envelope) -> Self {
        Self {
            id,
            given_sender: envelope.sender.clone(),
            envelope,
            refused: Vec::new(),
        }
    }
}
