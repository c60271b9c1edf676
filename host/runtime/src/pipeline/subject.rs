//! The subject of a question to the plugins of a session.

use std::sync::Arc;

use postgate_proto::envelope::Recipient;

use crate::context::Transaction;
use crate::question::Question;

/// The subject of a question. Plugins can rewrite the sender at MAIL and the recipient at RCPT, and each
/// plugin sees the edits of those before it.
#[derive(Debug)]
pub enum Subject<'a> {
    /// A question that is the same for all plugins.
    Fixed(Question<'a>),
    /// The recipient, at RCPT.
    Recipient(&'a mut Recipient),
    /// The transaction that begins, at MAIL.
    Transaction(&'a mut Arc<Transaction>),
}

impl Subject<'_> {
    /// The question, with the edits so far.
    pub fn question(&self) -> Question<'_> {
        match self {
            Self::Fixed(question) => *question,
            Self::Recipient(recipient) => Question::Rcpt(recipient),
            Self::Transaction(transaction) => Question::Mail(transaction),
        }
    }
}

impl<'a> From<Question<'a>> for Subject<'a> {
    fn from(question: Question<'a>) -> Self {
        Self::Fixed(question)
    }
}
