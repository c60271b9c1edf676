//! A transaction, from MAIL on.

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::envelope::Envelope;
use postgate_proto::reply::Refusal;

/// A transaction, from MAIL on: the one owner of its envelope.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Unique among all transactions.
    pub id: String,
    /// Who the message is from and for, as plugins have left it.
    pub envelope: Envelope,
    /// The sender as the client gave it, whatever plugins have made of it.
    pub given_sender: ReversePath,
    /// Recipients that do not get the message; the client hears of it when the message has come.
    pub refused: Vec<(ForwardPath, Refusal)>,
}

impl Transaction {
    /// A transaction as MAIL begins it.
    pub fn new(id: String, envelope: Envelope) -> Self {
        Self {
            id,
            given_sender: envelope.sender.clone(),
            envelope,
            refused: Vec::new(),
        }
    }
}
