//! Edits of the envelope.

use std::collections::HashSet;
use std::mem;

use postgate_address::canonical;
use postgate_proto::address::ForwardPath;
use postgate_proto::envelope::Recipient;

use crate::context::Transaction;
use crate::meter::{Meter, OutOfTime};
use crate::verdict::{EnvelopeEdit, Refused};

/// A copy of a transaction, to which edits are applied. The canonical form of each address is computed once.
#[derive(Debug)]
pub(super) struct EnvelopeChanges {
    /// Without its recipients.
    transaction: Transaction,
    /// The recipients, each with the canonical form of its address.
    recipients: Vec<(String, Recipient)>,
    /// The canonical forms of all recipients.
    known: HashSet<String>,
    /// The refused recipients, as the client has spelled them.
    refused: HashSet<String>,
}

impl EnvelopeChanges {
    /// Copies a transaction.
    ///
    /// # Errors
    ///
    /// Fails if the call has used up its CPU time.
    pub(super) async fn of(
        transaction: &Transaction,
        meter: &mut Meter,
    ) -> Result<Self, OutOfTime> {
        let mut transaction = transaction.clone();
        let mut recipients = Vec::new();
        for recipient in mem::take(&mut transaction.envelope.recipients) {
            recipients.push((canonical(recipient.path.as_str()), recipient));
            meter.count(RECIPIENT).await?;
        }
        let refused = transaction.refused.iter();
        Ok(Self {
            known: recipients.iter().map(|(form, _)| form.clone()).collect(),
            refused: refused.map(|(path, _)| path.as_str().into()).collect(),
            recipients,
            transaction,
        })
    }

    /// Applies an edit.
    pub(super) fn apply(&mut self, edit: &EnvelopeEdit) {
        match edit {
            EnvelopeEdit::AddRecipient(path) => {
                let form = canonical(path.as_str());
                if self.known.insert(form.clone()) {
                    self.recipients.push((form, path.clone().into()));
                }
            }
            EnvelopeEdit::RefuseRecipient(path, refused) => self.refuse(path, refused),
            EnvelopeEdit::RemoveRecipient(path) => _ = self.remove(path),
            // The contract allows this edit only at RCPT, where the subject is a recipient.
            EnvelopeEdit::RewriteRecipient(_) => {}
            EnvelopeEdit::RewriteSender(path) => self.transaction.envelope.sender = path.clone(),
        }
    }

    /// The transaction with the edits.
    pub(super) fn finish(mut self) -> Transaction {
        let recipients = self.recipients.into_iter();
        self.transaction.envelope.recipients = recipients.map(|(_, recipient)| recipient).collect();
        self.transaction
    }

    fn refuse(&mut self, path: &ForwardPath, refused: &Refused) {
        // As the client has spelled it, and will again at its next attempt.
        for known in self.remove(path) {
            if self.refused.insert(known.path.as_str().to_owned()) {
                let refusal = refused.refusal.clone();
                self.transaction.refused.push((known.path, refusal));
            }
        }
    }

    /// Removes a recipient, which the client may have named several times, in several spellings, and returns
    /// it as often. Returns nothing if it is no recipient of the transaction.
    fn remove(&mut self, path: &ForwardPath) -> Vec<Recipient> {
        let form = canonical(path.as_str());
        if !self.known.remove(&form) {
            return Vec::new();
        }
        let removed = self.recipients.extract_if(.., |(other, _)| *other == form);
        removed.map(|(_, recipient)| recipient).collect()
    }
}

/// What a recipient counts for, in octets.
const RECIPIENT: usize = 4_096;
