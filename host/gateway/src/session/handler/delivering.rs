//! The disposition of a message: delivery to the backend, quarantine, discarding or refusal.

use postgate_delivery::{
    self as delivery, Announced, Attempt, DeliveryError, OriginalMessage, Rest,
};
use postgate_proto::address::ForwardPath;
use postgate_proto::envelope::Recipient;
use postgate_proto::reply::{Acceptance, Enhanced, Refusal, Reply};
use postgate_proto::session::Rejection;
use postgate_runtime::context::{Context, Transaction};
use postgate_runtime::question::Fate;
use postgate_runtime::verdict::Verdict;
use postgate_spool::Content;
use tracing::{Instrument as _, error};

use super::core::Handler;
use super::disposition::Disposition;
use super::message_log::{delivery_span, log_delivery_error};
use crate::error_chain::Chain;
use crate::message::received;

impl Handler {
    /// Carries out the verdict about a message. Accepts it only if it is stored or delivered, or a plugin
    /// has discarded it.
    pub(super) async fn dispose(&mut self, verdict: Verdict, given: &Content) -> Disposition {
        let fate = match verdict {
            Verdict::Accept
            | Verdict::Answer(_)
            | Verdict::Authenticate(_)
            | Verdict::Decoy(_)
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
        let span = delivery_span(&self.context);
        match self.deliver(fate, given).instrument(span).await {
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

    /// Delivers the message to the recipients that do not have it from an earlier attempt. If plugins
    /// have deferred the refusal of some recipients, the message fails temporarily for the client,
    /// which gets those refusals at RCPT of its next attempt.
    async fn deliver(&mut self, fate: Fate, given: &Content) -> Result<Disposition, DeliveryError> {
        let Some(transaction) = self.context.transaction.clone() else {
            return Ok(Disposition::refused(Refusal::TRY_LATER));
        };
        let refused = &transaction.refused;
        let has_recipients = !transaction.envelope.recipients.is_empty();
        let fate = match (has_recipients, refused.last(), fate) {
            (false, Some((_, refusal)), _) => return Ok(Disposition::refused(refusal.clone())),
            // A message without recipients is discarded: plugins have removed all of them.
            (false, None, Fate::Delivered) => Fate::Discarded,
            (_, _, fate) => fate,
        };
        let mut head = Vec::new();
        render_head(&self.context, &mut head);
        let context = self.context.clone();
        let message = delivery::Message {
            id: context.message_id(),
            ..delivery::Message::new(&head, &context.message.body)
        };
        let delivery = self.services.delivery.clone();
        let turned_away = self.turned_away.clone();
        let attempt = attempt(&context, &transaction, &turned_away, given);
        let rest = delivery.rest(attempt).await?;
        // There is no transaction at the backend yet if the refusal of every recipient was deferred.
        let backend = self.backend.get_or_insert_with(|| delivery.begin());
        let has_named = transaction
            .envelope
            .paths()
            .any(|path| backend.has_accepted(path));
        let disposition = match self.dispatch(fate, &transaction, &rest, &message).await {
            Ok(disposition) if disposition.fate == Fate::Refused => return Ok(disposition),
            Ok(disposition) => disposition,
            Err(error) => {
                let error = delivery.failed(&rest, error).await;
                return Err(match has_named {
                    true => error,
                    false => error.about_added(),
                });
            }
        };
        let Some((_, refusal)) = refused.last() else {
            delivery.complete(&rest);
            return Ok(disposition);
        };
        let (delivered, recipients) = (rest.count(), rest.count() + refused.len());
        delivery.delivered(&rest, refused).await;
        if !has_named {
            // All recipients of the client are refused, so the refusal can be its reply now.
            return Ok(Disposition::refused(refusal.clone()));
        }
        delivery.refused_in_part(announced(&self.context, &transaction), refused);
        Err(DeliveryError::Deferred {
            delivered,
            recipients,
        })
    }

    /// Sends the message to the backend or into the quarantine, for the recipients in `rest`.
    async fn dispatch(
        &mut self,
        fate: Fate,
        transaction: &Transaction,
        rest: &Rest<'_>,
        message: &delivery::Message<'_>,
    ) -> Result<Disposition, DeliveryError> {
        match (fate, &mut self.backend) {
            (Fate::DeliveredInPart | Fate::Discarded | Fate::Refused, _) => Ok(self.queued(fate)),
            _ if rest.is_delivered() => {
                Ok(Disposition::accepted(fate, delivery::delivered_before()))
            }
            (Fate::Delivered, Some(backend)) => {
                let envelope = &transaction.envelope;
                let acceptance = backend
                    .deliver(envelope, rest.recipients(), message)
                    .await?;
                Ok(Disposition::accepted(fate, acceptance))
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
                Ok(Disposition::refused(error.refusal()))
            }
        }
    }

    /// Accepts a message for which there is no reply of a backend. The reply has the message's identifier,
    /// as replies of mail servers usually do.
    fn queued(&self, fate: Fate) -> Disposition {
        let text = format!("Ok: queued as {}", self.context.message_id());
        let reply = Reply::new(250, Some(Enhanced::new(2, 0, 0)), vec![text]);
        let acceptance = reply.and_then(Acceptance::new);
        match acceptance {
            Ok(acceptance) => Disposition::accepted(fate, acceptance),
            // Unreachable: 250 and 2.0.0 are an acceptance.
            Err(_) => Disposition::refused(Refusal::TRY_LATER),
        }
    }
}

/// The attempt of the client: its message before the edits of plugins, and everybody it has named.
/// What the client has said of its message before it sent it.
pub(super) fn announced<'a>(context: &Context, transaction: &'a Transaction) -> Announced<'a> {
    Announced {
        client: context.session.remote.ip(),
        sender: &transaction.given_sender,
        size: transaction.envelope.parameters.size,
    }
}

fn attempt<'a>(
    context: &'a Context,
    transaction: &'a Transaction,
    turned_away: &'a [ForwardPath],
    given: &'a Content,
) -> Attempt<'a> {
    let refused = transaction.refused.iter().map(|(path, _)| path);
    Attempt {
        client: context.session.remote.ip(),
        size: transaction.envelope.parameters.size,
        message: OriginalMessage {
            sender: &transaction.given_sender,
            head: context.message.headers.given(),
            body: given,
        },
        recipients: &transaction.envelope.recipients,
        others: refused.chain(turned_away).collect(),
    }
}

/// Renders the header block after the edits of plugins, with the Received field at its top.
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
