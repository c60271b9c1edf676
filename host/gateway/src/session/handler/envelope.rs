//! MAIL and RCPT: asks the plugins about the envelope, and then the backend.

use std::sync::Arc;

use postgate_contract::Event;
use postgate_delivery::DeliveryError;
use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::envelope::{Envelope, Recipient};
use postgate_proto::parameters::{MailParameters, Parameter};
use postgate_proto::reply::{Acceptance, Refusal};
use postgate_proto::session::{Answer, Rejection};
use postgate_runtime::context::Transaction;
use postgate_runtime::pipeline::Subject;
use postgate_runtime::question::{Question, ResetCause};
use postgate_runtime::verdict::Verdict;
use tracing::{Instrument as _, info};

use super::answer::answer_of;
use super::core::Handler;
use super::delivering::announced;
use super::message_log::{delivery_span, log_delivery_error};
use crate::id;

impl Handler {
    pub(super) async fn mail(&mut self, sender: ReversePath, parameters: MailParameters) -> Answer {
        self.reset();
        self.pipeline.begin_transaction();
        let envelope = Envelope::new(sender, parameters);
        let mut transaction = Arc::new(Transaction::new(id::next(), envelope));
        let verdict = self.ask(Subject::Transaction(&mut transaction)).await;
        let answer = answer_of(verdict);
        match answer {
            Answer::Proceed(_) => {
                Arc::make_mut(&mut self.context).transaction = Some(transaction);
            }
            _ => self.report_refused_mail().await,
        }
        answer
    }

    /// Reports to the plugins that have seen MAIL that the transaction does not begin.
    async fn report_refused_mail(&mut self) {
        if self.pipeline.handles(Event::Reset) {
            let question = Question::Reset(ResetCause::Refused);
            let asked = self
                .pipeline
                .ask_if_mail_answered(question, &mut self.context);
            asked.await;
        }
    }

    pub(super) async fn rcpt(
        &mut self,
        recipient: ForwardPath,
        parameters: Vec<Parameter>,
    ) -> Answer {
        let mut recipient = Recipient {
            path: recipient,
            parameters,
        };
        let answer = self.answer_rcpt(&mut recipient).await;
        if let Answer::Reject(_) = answer {
            self.turn_away(recipient.path);
        }
        answer
    }

    /// Notes a recipient who was refused.
    fn turn_away(&mut self, path: ForwardPath) {
        if !self.services.delivery.remembers_attempts() {
            return;
        }
        if self.turned_away.len() >= MAX_TURNED_AWAY {
            self.turned_away.remove(0);
        }
        self.turned_away.push(path);
    }

    async fn answer_rcpt(&mut self, recipient: &mut Recipient) -> Answer {
        let verdict = self.ask(Subject::Recipient(recipient)).await;
        let deferred = match verdict {
            Verdict::Next => None,
            Verdict::Defer(refused) => Some(refused.refusal),
            verdict => return answer_of(verdict),
        };
        if let Some(refusal) = self.take_refusal(&recipient.path) {
            return Answer::Reject(Rejection::from(refusal));
        }
        if let Some(refusal) = deferred {
            // Without a transaction, nobody would remember the refusal.
            let Some(transaction) = self.transaction_mut() else {
                return Answer::Reject(Rejection::from(Refusal::TRY_LATER));
            };
            transaction.refused.push((recipient.path.clone(), refusal));
            return Answer::Proceed(None);
        }
        match self.offer(recipient).await {
            Ok(acceptance) => {
                let Some(transaction) = self.transaction_mut() else {
                    return Answer::Reject(Rejection::from(Refusal::TRY_LATER));
                };
                transaction.envelope.recipients.push(recipient.clone());
                // A recipient with a deferred refusal gets the standard reply. The wording of the
                // backend would show the client the difference.
                let is_usual = acceptance.reply().code() == 250;
                let is_hidden = is_usual && self.pipeline.handles(Event::Rcpt);
                Answer::Proceed((!is_hidden).then_some(acceptance))
            }
            Err(refusal) => Answer::Reject(Rejection::from(refusal)),
        }
    }

    pub(super) fn transaction_mut(&mut self) -> Option<&mut Transaction> {
        let transaction = Arc::make_mut(&mut self.context).transaction.as_mut()?;
        Some(Arc::make_mut(transaction))
    }

    /// Takes the refusal of a recipient that was deferred at the client's last attempt.
    fn take_refusal(&self, recipient: &ForwardPath) -> Option<Refusal> {
        let session = &self.context.session;
        let transaction = self.context.transaction.as_ref()?;
        let announced = announced(&self.context, transaction);
        let delivery = &self.services.delivery;
        let refusal = delivery.take_refusal(announced, recipient)?;
        info!(
            session = session.id,
            recipient = recipient.as_str(),
            reply = %refusal.reply(),
            "refused as the last attempt was"
        );
        Some(refusal)
    }

    /// Offers a recipient to the backend. The first one begins the transaction there.
    async fn offer(&mut self, recipient: &Recipient) -> Result<Acceptance, Refusal> {
        let Some(transaction) = &self.context.transaction else {
            return Err(Refusal::TRY_LATER);
        };
        let delivery = &self.services.delivery;
        let backend = self.backend.get_or_insert_with(|| delivery.begin());
        let offered = backend.offer(&transaction.envelope, recipient);
        let offered = offered.instrument(delivery_span(&self.context)).await;
        offered.map_err(|error: DeliveryError| {
            log_delivery_error(&self.context, &error);
            error.refusal()
        })
    }
}

/// How many refused recipients a session remembers.
const MAX_TURNED_AWAY: usize = 100;
