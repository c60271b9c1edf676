//! What becomes of a message: delivered, dropped, put into quarantine or refused; and the line in the
//! log that says so.

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::reply::{Acceptance, Refusal};
use postgate_proto::session::Answer;
use tracing::{error, info};

use super::{Desk, note_backend};
use crate::delivery::{self, DeliveryError};
use crate::plugin::context::{Context, Transaction};
use crate::plugin::pipeline::Decision;
use crate::spool::Content;
use crate::trace;

impl Desk {
    /// Does with a message what was decided. The answer is a yes only where somebody has it, or was
    /// told to drop it.
    pub(super) async fn dispose(&mut self, decision: &Decision, given: &Content) -> Answer {
        match decision {
            Decision::Answer(_)
            | Decision::Authenticate(_)
            | Decision::Keys(_)
            | Decision::Pass => self.deliver(given).await,
            Decision::Discard => Answer::Proceed(None),
            Decision::Disconnect(refusal) => Answer::Disconnect(refusal.clone()),
            Decision::Quarantine => self.put_into_quarantine(given).await,
            Decision::Defer(refusal) | Decision::Refuse(refusal) => Answer::Refuse(refusal.clone()),
        }
    }

    async fn deliver(&mut self, given: &Content) -> Answer {
        let Some(transaction) = &self.context.transaction else {
            return Answer::Refuse(Refusal::TRY_LATER);
        };
        // Plugins have removed every recipient, which means to drop the message.
        if transaction.recipients.is_empty() {
            return Answer::Proceed(None);
        }
        let Some(at_backend) = &mut self.at_backend else {
            return Answer::Refuse(Refusal::TRY_LATER);
        };
        let mut head = Vec::new();
        render_head(&self.context, &mut head);
        let message = outgoing(&self.context, &head, given);
        match at_backend.deliver(transaction, &message).await {
            Ok(acceptance) => Answer::Proceed(Some(acceptance)),
            Err(error) => {
                note_backend(&self.context, &error);
                Answer::Refuse(error.refusal())
            }
        }
    }

    async fn put_into_quarantine(&self, given: &Content) -> Answer {
        let session = &self.context.session.id;
        let (Some(maildir), Some(transaction)) = (&self.quarantine, &self.context.transaction)
        else {
            error!(
                session,
                "a plugin wants a quarantine, and quarantine.maildir is not set"
            );
            return Answer::Refuse(Refusal::TRY_LATER);
        };
        let mut head = Vec::new();
        render_head(&self.context, &mut head);
        let message = outgoing(&self.context, &head, given);
        match maildir.store(&transaction.sender, &message).await {
            Ok(()) => Answer::Proceed(None),
            Err(error) => {
                error!(session, %error, "cannot write to the quarantine");
                Answer::Refuse(DeliveryError::Store(error).refusal())
            }
        }
    }

    /// The one line that each message leaves.
    pub(super) fn log(&self, decision: &Decision, answer: &Answer) {
        let Some(transaction) = &self.context.transaction else {
            return;
        };
        let fate = verdict_of(decision, answer);
        self.metrics.message(fate);
        let recipients: Vec<_> = transaction
            .recipients
            .iter()
            .map(ForwardPath::as_str)
            .collect();
        let tags: Vec<_> = self
            .context
            .tags
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        info!(
            session = self.context.session.id,
            transaction = transaction.id,
            remote = %self.context.session.remote.ip(),
            sender = transaction.sender.as_str(),
            recipients = recipients.join(" "),
            size = self.context.message.size(),
            verdict = fate,
            reply = reply_of(answer),
            plugins = self.pipeline.notes(),
            tags = tags.join(" "),
            "message"
        );
    }
}

/// What the backend knows of the transaction.
pub(super) struct AtBackend {
    pub(super) transaction: delivery::Transaction,
    pub(super) sender: ReversePath,
    pub(super) recipients: Vec<ForwardPath>,
}

impl AtBackend {
    /// Hands the message over, after the envelope where plugins have changed it since.
    async fn deliver(
        &mut self,
        wanted: &Transaction,
        message: &delivery::Message<'_>,
    ) -> Result<Acceptance, DeliveryError> {
        if self.sender != wanted.sender || self.recipients != wanted.recipients {
            let sender = wanted.sender.clone();
            self.transaction.amend(sender, &wanted.recipients).await?;
        }
        self.transaction.deliver(message).await
    }
}

/// The message as it goes on, beside what the client gave.
fn outgoing<'a>(context: &'a Context, head: &'a [u8], given: &'a Content) -> delivery::Message<'a> {
    delivery::Message {
        head,
        body: &context.message.body,
        given: delivery::Given {
            head: context.message.headers.given(),
            body: given,
        },
    }
}

/// The header block as it goes on, under the line that says how the message came here.
fn render_head(context: &Context, head: &mut Vec<u8>) {
    let mut headers = context.message.headers.clone();
    if let Some(received) = trace::received(context) {
        headers.apply(&received);
    }
    if !context.message.body.is_empty() {
        headers.separate();
    }
    headers.render(head);
}

const fn verdict_of(decision: &Decision, answer: &Answer) -> &'static str {
    match (decision, answer) {
        (Decision::Discard, _) => "discarded",
        (Decision::Quarantine, Answer::Proceed(_)) => "quarantined",
        (_, Answer::Proceed(Some(_))) => "delivered",
        (_, Answer::Proceed(None) | Answer::Authenticated | Answer::Keys(_)) => "discarded",
        (_, Answer::Disconnect(_) | Answer::Refuse(_)) => "refused",
    }
}

fn reply_of(answer: &Answer) -> String {
    match answer {
        Answer::Disconnect(refusal) | Answer::Refuse(refusal) => refusal.reply().to_string(),
        Answer::Proceed(Some(acceptance)) => acceptance.reply().to_string(),
        Answer::Proceed(None) | Answer::Authenticated | Answer::Keys(_) => "250".into(),
    }
}
