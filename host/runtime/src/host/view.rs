//! What a guest can see during one call.

use std::io;
use std::sync::Arc;

use crate::context::{Context, Introduction, Transaction};
use crate::question::Question;

/// What a guest can see during one call: the session, with what the question is about in the place of
/// what held before.
#[derive(Debug)]
pub(crate) struct View {
    pub(super) context: Arc<Context>,
    proposal: Proposal,
}

/// What an event is about to change, and has not changed yet.
#[derive(Debug)]
enum Proposal {
    /// How the client introduces itself, at HELO and EHLO.
    Introduction(Introduction),
    /// Nothing that a host function returns.
    None,
    /// The transaction that begins, at MAIL.
    Transaction(Arc<Transaction>),
}

impl View {
    /// The session as it is.
    pub(crate) const fn of(context: Arc<Context>) -> Self {
        Self {
            context,
            proposal: Proposal::None,
        }
    }

    /// The session at a question.
    pub(crate) fn new(context: Arc<Context>, question: &Question<'_>) -> Self {
        let proposal = match question {
            Question::Helo(introduction) => Proposal::Introduction((*introduction).clone()),
            Question::Mail(transaction) => Proposal::Transaction(Arc::clone(transaction)),
            _ => Proposal::None,
        };
        Self { context, proposal }
    }

    pub(super) fn introduction(&self) -> Option<&Introduction> {
        match &self.proposal {
            Proposal::Introduction(introduction) => Some(introduction),
            Proposal::None | Proposal::Transaction(_) => self.context.introduction.as_ref(),
        }
    }

    pub(super) fn transaction(&self) -> Option<&Transaction> {
        match &self.proposal {
            Proposal::Transaction(transaction) => Some(transaction),
            Proposal::Introduction(_) | Proposal::None => self.context.transaction.as_deref(),
        }
    }

    pub(super) fn message_id(&self) -> &str {
        let id = self.transaction().map_or("", |transaction| &transaction.id);
        self.context.message.id.as_deref().unwrap_or(id)
    }
}

/// A host function failed for a reason of the host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// The message cannot be read from where the host keeps it.
    #[error("the message cannot be read: {0}")]
    Message(#[from] io::Error),
    /// The guest called for a session while it is being instantiated.
    #[error("there is no session outside of a call")]
    NoSession,
    /// A thread that worked for the call has panicked.
    #[error("a worker of the host failed: {0}")]
    Worker(#[from] tokio::task::JoinError),
}
