//! Where a message goes: to the backend, into the quarantine, nowhere, or back to the client.

use postgate_delivery::{self as delivery, DeliveryError, OriginalMessage, Rest};
use postgate_proto::envelope::Recipient;
use postgate_proto::reply::{Acceptance, Enhanced, Refusal, Reply};
use postgate_proto::session::Rejection;
use postgate_runtime::context::{Context, Transaction};
use postgate_runtime::question::Fate;
use postgate_runtime::verdict::Verdict;
use postgate_spool::Content;
use tracing::error;

use super::core::Handler;
use super::disposition::Disposition;
use super::message_log::log_delivery_error;
use crate::error_chain::Chain;
use crate::message::received;

impl Handler {
    /// Carries out the verdict about a message. It is accepted only if somebody has it, or a plugin has
    /// discarded it.
    pub(super) async fn dispose(&mut self, verdict: Verdict, given: &Content) -> Disposition {
        let fate = match verdict {
            Verdict::Accept
            | Verdict::Answer(_)
            | Verdict::Authenticate(_)
            | Verdict::Keys(_)
            | Verdict::Next => Fate::Delivered,
            Verdict::Discard(_) => Fate::Discarded,
            Verdict::Quarantine(_) => Fate::Quarantined,
            Verdict::Disconnect(refused) => {
                return Disposition {
                    fate: Fate::Refused,
                    answer: Err(Rejection::Disconnect(refused.refusal)),
                };
            }
            Verdict::Defer(refused) | Verdict::Refuse(refused) => {
                return Disposition::refused(refused.refusal);
            }
        };
        match self.hand_over(fate, given).await {
            Ok(disposition) => disposition,
            Err(error) => {
                log_delivery_error(&self.context, &error);
                Disposition {
                    fate: match error.is_in_part() {
                        true => Fate::DeliveredInPart,
                        false => Fate::Refused,
                    },
                    answer: Err(Rejection::from(error.refusal())),
                }
            }
        }
    }

    /// Hands the message over for the recipients that are left and do not have it already. Those that
    /// policy has refused are for the client to come back with, wherever the message ends for the
    /// others.
    async fn hand_over(
        &mut self,
        fate: Fate,
        given: &Content,
    ) -> Result<Disposition, DeliveryError> {
        let Some(transaction) = self.context.transaction.clone() else {
            return Ok(Disposition::refused(Refusal::TRY_LATER));
        };
        let refused = &transaction.refused;
        let has_recipients = !transaction.envelope.recipients.is_empty();
        let fate = match (has_recipients, refused.last(), fate) {
            (false, Some((_, refusal)), _) => return Ok(Disposition::refused(refusal.clone())),
            // Plugins have removed every recipient, which means to discard the message.
            (false, None, Fate::Delivered) => Fate::Discarded,
            (_, _, fate) => fate,
        };
        let mut head = Vec::new();
        render_head(&self.context, &mut head);
        let context = self.context.clone();
        let message = outgoing(&context, &transaction, &head, given);
        let delivery = self.services.delivery.clone();
        let rest = delivery
            .rest(&transaction.envelope, message.original)
            .await?;
        // The backend has not heard of the transaction if every recipient was deferred.
        let backend = self.backend.get_or_insert_with(|| delivery.begin());
        let has_named = transaction
            .envelope
            .paths()
            .any(|path| backend.has_accepted(path));
        let placed = self.place(fate, &transaction, &rest, &message).await;
        let disposition = placed.map_err(|error| match has_named {
            true => rest.failure(error),
            false => error.about_added(),
        })?;
        if disposition.fate == Fate::Refused {
            return Ok(disposition);
        }
        let Some((_, refusal)) = refused.last() else {
            delivery.complete(rest);
            return Ok(disposition);
        };
        let (delivered, recipients) = (rest.count(), rest.count() + refused.len());
        delivery.delivered(rest, message.original).await?;
        if !has_named {
            // Whoever the client has named is refused, and it can be told at once.
            return Ok(Disposition::refused(refusal.clone()));
        }
        let client = self.context.session.remote.ip();
        delivery.refused_in_part(client, &transaction.given_sender, refused);
        Err(DeliveryError::Deferred {
            delivered,
            recipients,
        })
    }

    /// Brings the message to where it is to end, for the recipients that do not have it.
    async fn place(
        &mut self,
        fate: Fate,
        transaction: &Transaction,
        rest: &Rest<'_>,
        message: &delivery::Message<'_>,
    ) -> Result<Disposition, DeliveryError> {
        match (fate, &mut self.backend) {
            (Fate::DeliveredInPart | Fate::Discarded | Fate::Refused, _) => Ok(self.queued(fate)),
            _ if rest.is_delivered() => Ok(Disposition::taken(fate, delivery::delivered_before())),
            (Fate::Delivered, Some(backend)) => {
                let envelope = &transaction.envelope;
                let acceptance = backend
                    .deliver(envelope, rest.recipients(), message)
                    .await?;
                Ok(Disposition::taken(fate, acceptance))
            }
            (Fate::Delivered, None) => Err(DeliveryError::NoRecipients),
            (Fate::Quarantined, _) => {
                self.put_into_quarantine(transaction, rest.recipients(), message)
                    .await
            }
        }
    }

    async fn put_into_quarantine(
        &self,
        transaction: &Transaction,
        recipients: &[&Recipient],
        message: &delivery::Message<'_>,
    ) -> Result<Disposition, DeliveryError> {
        let session = &self.context.session.id;
        let Some(maildir) = &self.services.quarantine else {
            error!(
                session,
                "a plugin wants a quarantine, and quarantine.maildir is not set"
            );
            return Ok(Disposition::refused(Refusal::TRY_LATER));
        };
        let sender = &transaction.envelope.sender;
        match maildir
            .store_with_envelope(sender, recipients, message)
            .await
        {
            Ok(()) => Ok(self.queued(Fate::Quarantined)),
            Err(error) => {
                error!(session, error = %Chain(&error), "cannot write to the quarantine");
                Ok(Disposition::refused(DeliveryError::Store(error).refusal()))
            }
        }
    }

    /// A message that no backend has answered for. The reply names it, as that of a backend would.
    fn queued(&self, fate: Fate) -> Disposition {
        let text = format!("Ok: queued as {}", self.context.message_id());
        let reply = Reply::new(250, Some(Enhanced::new(2, 0, 0)), vec![text]);
        let acceptance = reply.and_then(Acceptance::new);
        match acceptance {
            Ok(acceptance) => Disposition::taken(fate, acceptance),
            // Code and enhanced code belong together and accept.
            Err(_) => Disposition::refused(Refusal::TRY_LATER),
        }
    }
}

/// The message as it goes on, beside what the client sent.
fn outgoing<'a>(
    context: &'a Context,
    transaction: &'a Transaction,
    head: &'a [u8],
    given: &'a Content,
) -> delivery::Message<'a> {
    delivery::Message {
        head,
        body: &context.message.body,
        original: OriginalMessage {
            sender: &transaction.given_sender,
            head: context.message.headers.given(),
            body: given,
        },
    }
}

/// The header block as it goes on, under the field that says how the message came here.
fn render_head(context: &Context, head: &mut Vec<u8>) {
    let mut headers = context.message.headers.clone();
    if let Some(received) = received::field(context) {
        headers.apply(&received);
    }
    if !context.message.body.is_empty() {
        headers.separate();
    }
    headers.render(head);
}
