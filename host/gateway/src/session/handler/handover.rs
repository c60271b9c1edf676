//! What becomes of a message: delivered, dropped, put into quarantine or refused; and the line in the
//! log that says so.

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::reply::{Acceptance, Enhanced, Refusal, Reply};
use postgate_proto::session::Answer;
use tracing::{error, info};

use postgate_delivery as delivery;

use super::Desk;
use super::envelope::note_backend;
use crate::message::received;
use postgate_delivery::{self, Delivery, DeliveryError};
use postgate_runtime::context::{Context, Fate, MessageOutcome, Transaction};
use postgate_runtime::pipeline::Decision;
use postgate_spool::Content;

impl Desk {
    /// Does with a message what was decided. The answer is a yes only where somebody has it, or was
    /// told to drop it.
    pub(super) async fn dispose(&mut self, decision: Decision, given: &Content) -> Disposal {
        let fate = match decision {
            Decision::Answer(_)
            | Decision::Authenticate(_)
            | Decision::Keys(_)
            | Decision::Pass => Fate::Delivered,
            Decision::Discard => Fate::Discarded,
            Decision::Disconnect(refusal) => {
                return Disposal {
                    fate: Fate::Refused,
                    answer: Answer::Disconnect(refusal),
                };
            }
            Decision::Quarantine => Fate::Quarantined,
            Decision::Defer(refusal) | Decision::Refuse(refusal) => {
                return Disposal::refused(refusal);
            }
        };
        match self.give(fate, given).await {
            Ok(disposal) => disposal,
            Err(error) => {
                note_backend(&self.context, &error);
                let fate = match error.is_in_part() {
                    true => Fate::DeliveredInPart,
                    false => Fate::Refused,
                };
                let answer = Answer::Refuse(error.refusal());
                Disposal { fate, answer }
            }
        }
    }

    /// Gives the message to where it is to end, for the recipients that are left and do not have it
    /// already. Recipients that policy has refused are the client's to come again for, wherever the
    /// message ends for the others.
    async fn give(&mut self, fate: Fate, given: &Content) -> Result<Disposal, DeliveryError> {
        let Some(transaction) = &self.context.transaction else {
            return Ok(Disposal::refused(Refusal::TRY_LATER));
        };
        let refused = &transaction.refused;
        let fate = match (transaction.recipients.is_empty(), refused.last(), fate) {
            (true, Some((_, refusal)), _) => return Ok(Disposal::refused(refusal.clone())),
            // Plugins have removed every recipient, which means to drop the message.
            (true, None, Fate::Delivered) => Fate::Discarded,
            (_, _, fate) => fate,
        };
        let mut head = Vec::new();
        render_head(&self.context, &mut head);
        let message = outgoing(&self.context, transaction, &head, given);
        let recipients = transaction.paths().cloned().collect();
        let rest = self.delivery.rest(recipients, message.given).await?;
        // Nobody has heard of the transaction where every recipient was deferred.
        let at_backend = self
            .at_backend
            .get_or_insert_with(|| AtBackend::begin(&self.delivery, transaction));
        let has_named = transaction
            .paths()
            .any(|path| at_backend.recipients.contains(path));
        let disposal = match fate {
            Fate::DeliveredInPart | Fate::Discarded | Fate::Refused => self.taken(fate),
            _ if rest.is_delivered() => Disposal::taken(fate, delivery::delivered_before()),
            Fate::Delivered => {
                let taken = at_backend.deliver(&transaction.sender, &rest.recipients, &message);
                let acceptance = taken.await.map_err(|error| match has_named {
                    true => rest.failure(error),
                    false => error.about_added(),
                })?;
                Disposal::taken(fate, acceptance)
            }
            Fate::Quarantined => {
                self.put_into_quarantine(transaction, &rest.recipients, &message)
                    .await?
            }
        };
        if disposal.is_refused() {
            return Ok(disposal);
        }
        let Some((_, refusal)) = refused.last() else {
            self.delivery.complete(rest);
            return Ok(disposal);
        };
        let (delivered, recipients) = (rest.count(), rest.count() + refused.len());
        self.delivery.delivered(rest, message.given).await?;
        if !has_named {
            // Whoever the client has named is refused, and it can hear that at once.
            return Ok(Disposal::refused(refusal.clone()));
        }
        let client = self.context.session.remote.ip();
        self.delivery
            .refused_in_part(client, &transaction.given_sender, refused);
        Err(DeliveryError::Deferred {
            delivered,
            recipients,
        })
    }

    async fn put_into_quarantine(
        &self,
        transaction: &Transaction,
        recipients: &[ForwardPath],
        message: &delivery::Message<'_>,
    ) -> Result<Disposal, DeliveryError> {
        let session = &self.context.session.id;
        let Some(maildir) = &self.quarantine else {
            error!(
                session,
                "a plugin wants a quarantine, and quarantine.maildir is not set"
            );
            return Ok(Disposal::refused(Refusal::TRY_LATER));
        };
        let stored = maildir.store_with_envelope(&transaction.sender, recipients, message);
        match stored.await {
            Ok(()) => Ok(self.taken(Fate::Quarantined)),
            Err(error) => {
                error!(session, %error, "cannot write to the quarantine");
                Ok(Disposal::refused(DeliveryError::Store(error).refusal()))
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
            reply = disposal.reply().map(|reply| shortened(reply.to_string())),
            plugins = self.pipeline.notes(),
            edits = self.pipeline.journal(),
            tags = shortened(tags.join(" ")),
            "message"
        );
    }
}

/// A text that plugins have made as long as they like, as a line of the log shows it.
fn shortened(mut text: String) -> String {
    if text.len() > MAX_FIELD {
        text.truncate(text.floor_char_boundary(MAX_FIELD));
        text.push_str(" …");
    }
    text
}

/// So much of a text stands in a line of the log, in octets.
const MAX_FIELD: usize = 8_192;

/// What the backend knows of the transaction.
pub(super) struct AtBackend {
    pub(super) transaction: delivery::Transaction,
    pub(super) sender: ReversePath,
    pub(super) recipients: Vec<ForwardPath>,
}

impl AtBackend {
    pub(super) fn begin(delivery: &Delivery, transaction: &Transaction) -> Self {
        let (sender, parameters) = (&transaction.sender, &transaction.parameters);
        Self {
            transaction: delivery.begin(sender.clone(), parameters.clone()),
            sender: sender.clone(),
            recipients: Vec::new(),
        }
    }

    /// Hands the message over, after the envelope where plugins have changed it since.
    async fn deliver(
        &mut self,
        sender: &ReversePath,
        recipients: &[ForwardPath],
        message: &delivery::Message<'_>,
    ) -> Result<Acceptance, DeliveryError> {
        if self.sender != *sender || self.recipients != recipients {
            let has_added = recipients
                .iter()
                .any(|path| !self.recipients.contains(path));
            let amended = self.transaction.amend(sender.clone(), recipients).await;
            amended.map_err(|error| match has_added {
                true => error.about_added(),
                false => error,
            })?;
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
    if let Some(received) = received::received(context) {
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

    const fn taken(fate: Fate, acceptance: Acceptance) -> Self {
        Self {
            fate,
            answer: Answer::Proceed(Some(acceptance)),
        }
    }

    const fn is_refused(&self) -> bool {
        matches!(self.fate, Fate::Refused)
    }

    const fn reply(&self) -> Option<&Reply> {
        match &self.answer {
            Answer::Disconnect(refusal) | Answer::Refuse(refusal) => Some(refusal.reply()),
            Answer::Proceed(Some(acceptance)) => Some(acceptance.reply()),
            Answer::Authenticated | Answer::Keys(_) | Answer::Proceed(None) => None,
        }
    }
}
