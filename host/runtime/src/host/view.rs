//! What a guest can see during one call.

use std::net::IpAddr;
use std::sync::Arc;

use crate::context::{Context, Introduction, Transaction};
use crate::question::Question;

/// What a guest can see during one call: the session, in which the facts of the question replace the
/// earlier ones.
#[derive(Debug)]
pub(crate) struct View {
    pub(super) context: Arc<Context>,
    proposal: Proposal,
}

/// A change of the session that plugins are asked about, and that is not made yet.
#[derive(Debug)]
enum Proposal {
    /// The introduction of the client, at HELO and EHLO.
    Introduction(Introduction),
    /// No change that a host function could return.
    None,
    /// The transaction that begins, at MAIL.
    Transaction(Arc<Transaction>),
}

impl View {
    /// Creates a view of the session without a proposed change.
    pub(crate) const fn of(context: Arc<Context>) -> Self {
        Self {
            context,
            proposal: Proposal::None,
        }
    }

    /// Creates a view of the session for a question.
    pub(crate) fn new(context: Arc<Context>, question: &Question<'_>) -> Self {
        let proposal = match question {
            Question::Helo(introduction) => Proposal::Introduction((*introduction).clone()),
            Question::Mail(transaction) => Proposal::Transaction(Arc::clone(transaction)),
            _ => Proposal::None,
        };
        Self { context, proposal }
    }

    /// The address of the client.
    pub(crate) fn client(&self) -> IpAddr {
        self.context.session.remote.ip()
    }

    /// Returns the introduction of the client, or `None` before HELO and EHLO.
    pub(super) fn introduction(&self) -> Option<&Introduction> {
        match &self.proposal {
            Proposal::Introduction(introduction) => Some(introduction),
            Proposal::None | Proposal::Transaction(_) => self.context.introduction.as_ref(),
        }
    }

    /// Returns the transaction, or `None` outside of one.
    pub(super) fn transaction(&self) -> Option<&Transaction> {
        match &self.proposal {
            Proposal::Transaction(transaction) => Some(transaction),
            Proposal::Introduction(_) | Proposal::None => self.context.transaction.as_deref(),
        }
    }

    /// Returns the id of the message, which is that of the transaction unless a plugin has set another.
    /// It is empty outside of a transaction.
    pub(super) fn message_id(&self) -> &str {
        let id = self.transaction().map_or("", |transaction| &transaction.id);
        self.context.message.id.as_deref().unwrap_or(id)
    }
}
