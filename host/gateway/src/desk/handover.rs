//! What becomes of a message: delivered, dropped, put into quarantine or refused; and the line in the
//! log that says so.

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::reply::{Acceptance, Enhanced, Refusal, Reply};
use postgate_proto::session::Answer;
use tracing::{error, info};

use super::Desk;
use super::envelope::note_backend;
use crate::delivery::{self, DeliveryError};
use crate::plugin::context::{Context, Fate, MessageOutcome, Transaction};
use crate::plugin::pipeline::Decision;
use crate::spool::Content;
use crate::trace;

impl Desk {
    /// Does with a message what was decided. The answer is a yes only where somebody has it, or was
    /// told to drop it.
    pub(super) async fn dispose(&mut self, decision: Decision, given: &Content) -> Disposal {
        match decision {
            Decision::Answer(_)
            | Decision::Authenticate(_)
            | Decision::Keys(_)
            | Decision::Pass => self.deliver(given).await,
            Decision::Discard => self.taken(Fate::Discarded),
            Decision::Disconnect(refusal) => Disposal {
                fate: Fate::Refused,
                answer: Answer::Disconnect(refusal),
            },
            Decision::Quarantine => self.put_into_quarantine(given).await,
            Decision::Defer(refusal) | Decision::Refuse(refusal) => Disposal::refused(refusal),
        }
    }

    async fn deliver(&mut self, given: &Content) -> Disposal {
        let Some(transaction) = &self.context.transaction else {
            return Disposal::refused(Refusal::TRY_LATER);
        };
        if transaction.recipients.is_empty() {
            return match transaction.refused.last() {
                Some((_, refusal)) => Disposal::refused(refusal.clone()),
                // Plugins have removed every recipient, which means to drop the message.
                None => self.taken(Fate::Discarded),
            };
        }
        match self.hand_over(given).await {
            Ok(acceptance) => Disposal {
                fate: Fate::Delivered,
                answer: Answer::Proceed(Some(acceptance)),
            },
            Err(error) => {
                note_backend(&self.context, &error);
                Disposal::refused(error.refusal())
            }
        }
    }

    /// Hands the message over to the backend, for the recipients that do not have it already.
    async fn hand_over(&mut self, given: &Content) -> Result<Acceptance, DeliveryError> {
        let (Some(transaction), Some(at_backend)) =
            (&self.context.transaction, &mut self.at_backend)
        else {
            return Err(DeliveryError::NoRecipients);
        };
        let (sender, refused) = (&transaction.sender, &transaction.refused);
        let mut head = Vec::new();
        render_head(&self.context, &mut head);
        let message = outgoing(&self.context, transaction, &head, given);
        let recipients = transaction.paths().cloned().collect();
        let rest = self.delivery.rest(recipients, message.given).await?;
        let acceptance = match rest.is_delivered() {
            true => delivery::delivered_before(),
            false => {
                let taken = at_backend.deliver(sender, &rest.recipients, &message);
                taken.await.map_err(|error| rest.failure(error))?
            }
        };
        if refused.is_empty() {
            self.delivery.complete(rest);
            return Ok(acceptance);
        }
        let (delivered, recipients) = (rest.count(), rest.count() + refused.len());
        let client = self.context.session.remote.ip();
        self.delivery
            .refused_in_part(client, &transaction.given_sender, refused);
        self.delivery.delivered(rest, message.given).await?;
        Err(DeliveryError::Deferred {
            delivered,
            recipients,
        })
    }

    async fn put_into_quarantine(&self, given: &Content) -> Disposal {
        let session = &self.context.session.id;
        let (Some(maildir), Some(transaction)) = (&self.quarantine, &self.context.transaction)
        else {
            error!(
                session,
                "a plugin wants a quarantine, and quarantine.maildir is not set"
            );
            return Disposal::refused(Refusal::TRY_LATER);
        };
        let mut head = Vec::new();
        render_head(&self.context, &mut head);
        let message = outgoing(&self.context, transaction, &head, given);
        match maildir.store(&transaction.sender, &message).await {
            Ok(()) => self.taken(Fate::Quarantined),
            Err(error) => {
                error!(session, %error, "cannot write to the quarantine");
                Disposal::refused(DeliveryError::Store(error).refusal())
            }
        }
    }

    /// The reply for a message that no backend has answered for: it names the message, as that of a
    /// backend would.
    fn taken(&self, fate: Fate) -> Disposal {
        let text = format!("Ok: queued as {}", self.context.message_id());
        let reply = Reply::new(250, Some(Enhanced::new(2, 0, 0)), vec![text]);
        let answer = Answer::Proceed(reply.and_then(Acceptance::new).ok());
        Disposal { fate, answer }
    }

    /// What became of the message, as plugins see it.
    pub(super) fn outcome(&self, disposal: &Disposal) -> Option<MessageOutcome> {
        Some(MessageOutcome {
            fate: disposal.fate,
            reply: disposal.reply()?.clone(),
            id: self.context.message_id().into(),
        })
    }

    /// The one line that each message leaves.
    pub(super) fn log(&self, disposal: &Disposal) {
        let Some(transaction) = &self.context.transaction else {
            return;
        };
        let fate = disposal.fate.name();
        self.metrics.message(fate);
        let recipients: Vec<_> = transaction.paths().map(ForwardPath::as_str).collect();
        let refused = transaction.refused.iter();
        let refused: Vec<_> = refused.map(|(path, _)| path.as_str()).collect();
        let tags: Vec<_> = self
            .context
            .tags
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        info!(
            session = self.context.session.id,
            transaction = transaction.id,
            id = self.context.message_id(),
            remote = %self.context.session.remote.ip(),
            sender = transaction.sender.as_str(),
            recipients = recipients.join(" "),
            refused = refused.join(" "),
            size = self.context.message.size(),
            verdict = fate,
            reply = disposal.reply().map(ToString::to_string),
            plugins = self.pipeline.notes(),
            edits = self.pipeline.journal(),
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
        sender: &ReversePath,
        recipients: &[ForwardPath],
        message: &delivery::Message<'_>,
    ) -> Result<Acceptance, DeliveryError> {
        if self.sender != *sender || self.recipients != recipients {
            self.transaction.amend(sender.clone(), recipients).await?;
        }
        self.transaction.deliver(message).await
    }
}

/// The message as it goes on, beside what the client gave.
fn outgoing<'a>(
    context: &'a Context,
    transaction: &'a Transaction,
    head: &'a [u8],
    given: &'a Content,
) -> delivery::Message<'a> {
    delivery::Message {
        head,
        body: &context.message.body,
        given: delivery::Given {
            sender: &transaction.given_sender,
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

/// What became of a message, and what the client is told of it.
pub(super) struct Disposal {
    pub(super) fate: Fate,
    pub(super) answer: Answer,
}

impl Disposal {
    pub(super) const fn refused(refusal: Refusal) -> Self {
        Self {
            fate: Fate::Refused,
            answer: Answer::Refuse(refusal),
        }
    }

    const fn reply(&self) -> Option<&Reply> {
        match &self.answer {
            Answer::Disconnect(refusal) | Answer::Refuse(refusal) => Some(refusal.reply()),
            Answer::Proceed(Some(acceptance)) => Some(acceptance.reply()),
            Answer::Authenticated | Answer::Keys(_) | Answer::Proceed(None) => None,
        }
    }
}
