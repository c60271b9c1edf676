//! What the plugins of a session are asked about.

use std::sync::Arc;

use postgate_proto::envelope::Recipient;

use crate::context::Transaction;
use crate::question::Question;

/// What plugins are asked about. They may rewrite a sender or a recipient that is being decided on;
/// each plugin sees what the ones before it made of it.
#[derive(Debug)]
pub enum Subject<'a> {
    /// A question that is the same for all plugins.
    Fixed(Question<'a>),
    /// A recipient, at RCPT.
    Recipient(&'a mut Recipient),
    /// A transaction that is about to begin, at MAIL.
    Transaction(&'a mut Arc<Transaction>),
}

impl Subject<'_> {
    /// The question as it stands now.
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
