//! The answer of a plugin: a verdict, and the edits that its event allows.

use super::decision::{Decision, Refusable};
use crate::Refusal;
use crate::bindings::imports::postgate::plugin::types::{
    AuthVerdict, ConnectEdit, DataEdit, HeadersEdit, HeloEdit, MailEdit, MessageEdit,
    MessageVerdict, ProxyEdit, QueryVerdict, RcptEdit, RcptVerdict, SessionEdit, Verdict,
};

/// The answer of a plugin: a verdict `V`, and edits `E` that the host applies in order.
///
/// Each event has an alias, for example [`RcptAnswer`], with the methods that its verdicts and
/// edits allow. The events for questions of the client share [`QueryAnswer`].
///
/// ```
/// use postgate_plugin::{HeadersAnswer, RcptAnswer, Refusal};
///
/// let refused = RcptAnswer::refuse(Refusal::new(550, "5.1.1", "no such user here"));
/// let edited = HeadersAnswer::next()
///     .prepend_header("X-Checked", "yes")
///     .tag("checked", "yes");
/// # assert_eq!(refused.edits().len(), 0);
/// # assert_eq!(edited.edits().len(), 2);
/// ```
///
/// Text that goes into a header field, a tag or a banner is one line: a line break or NUL in it
/// becomes a space.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Answer<V, E> {
    pub(super) verdict: V,
    pub(super) edits: Vec<E>,
}

/// Answers what a proxy said about the client. A refusal closes the connection.
pub type ProxyAnswer = Answer<Verdict, ProxyEdit>;
/// Answers a new connection. A refusal replaces the banner.
pub type ConnectAnswer = Answer<Verdict, ConnectEdit>;
/// Answers HELO, EHLO or LHLO. After a refusal, the client may try again.
pub type HeloAnswer = Answer<Verdict, HeloEdit>;
/// Answers STARTTLS. After a refusal, the session stays without TLS.
pub type StarttlsAnswer = Answer<Verdict, SessionEdit>;
/// Answers credentials. If no plugin accepts them, the attempt is refused.
pub type AuthAnswer = Answer<AuthVerdict, SessionEdit>;
/// Answers MAIL. After a refusal, there is no transaction.
pub type MailAnswer = Answer<Verdict, MailEdit>;
/// Answers RCPT. A refusal leaves out this recipient only.
pub type RcptAnswer = Answer<RcptVerdict, RcptEdit>;
/// Answers DATA. After a refusal, the transaction stays as it is.
pub type DataAnswer = Answer<Verdict, DataEdit>;
/// Answers a header block. A refusal skips the body and refuses the message.
pub type HeadersAnswer = Answer<Verdict, HeadersEdit>;
/// Answers a piece of a body. A refusal skips the rest of the body and refuses the message.
pub type BodyChunkAnswer = Answer<Verdict, SessionEdit>;
/// Answers a complete message.
pub type MessageAnswer = Answer<MessageVerdict, MessageEdit>;
/// Answers VRFY, EXPN, HELP or a command line instead of the gateway.
pub type QueryAnswer = Answer<QueryVerdict, SessionEdit>;

/// Every event that can be answered.
impl<V: Decision, E> Answer<V, E> {
    /// No objection: ask the next plugin.
    pub fn next() -> Self {
        Self::from(V::NEXT)
    }

    /// Refuse with this reply and close the connection.
    pub fn disconnect(refusal: Refusal) -> Self {
        Self::from(V::disconnect(refusal))
    }

    /// The refusal, if the verdict is one.
    pub fn refusal(&self) -> Option<Refusal> {
        self.verdict.refusal()
    }
}

/// Every event that is a step of the session.
impl<V: Refusable, E> Answer<V, E> {
    /// Refuse this step; the session goes on.
    pub fn refuse(refusal: Refusal) -> Self {
        Self::from(V::refuse(refusal))
    }
}

impl<V, E> Answer<V, E> {
    /// The verdict.
    pub const fn verdict(&self) -> &V {
        &self.verdict
    }

    /// The edits, in the order in which they were made.
    pub fn edits(&self) -> &[E] {
        &self.edits
    }

    pub(crate) fn into_parts(self) -> (V, Vec<E>) {
        (self.verdict, self.edits)
    }

    pub(super) fn with(mut self, edit: impl Into<E>) -> Self {
        self.edits.push(edit.into());
        self
    }
}

impl<V, E> From<V> for Answer<V, E> {
    fn from(verdict: V) -> Self {
        Self {
            verdict,
            edits: Vec::new(),
        }
    }
}
