//! Who a message is from and for: asked of the plugins, then of the backend.

use std::mem;
use std::sync::Arc;

use postgate_proto::address::{ForwardPath, ReversePath};
use postgate_proto::parameters::{MailParameters, Parameter};
use postgate_proto::reply::{Acceptance, Refusal};
use postgate_proto::session::Answer;
use tracing::{info, warn};

use super::handover::AtBackend;
use super::{Desk, answer_of};
use crate::id;
use postgate_contract::Event;
use postgate_delivery::DeliveryError;
use postgate_runtime::context::{Cause, Context, Occasion, Recipient, Transaction};
use postgate_runtime::pipeline::Decision;

impl Desk {
    pub(super) async fn mail(&mut self, sender: ReversePath, parameters: MailParameters) -> Answer {
        self.reset();
        self.pipeline.begin_transaction();
        Arc::make_mut(&mut self.context).transaction = Some(Transaction {
            id: id::next(),
            given_sender: sender.clone(),
            sender,
            parameters,
            recipients: Vec::new(),
            refused: Vec::new(),
            candidate: None,
        });
        let answer = answer_of(self.ask(Event::Mail).await);
        if !matches!(answer, Answer::Proceed(_)) {
            self.reset();
            self.tell_witnesses().await;
        }
        answer
    }

    /// Tells the plugins that have heard of a transaction that it does not begin.
    async fn tell_witnesses(&mut self) {
        if !self.pipeline.handles(Event::Reset) {
            return;
        }
        let context = Arc::make_mut(&mut self.context);
        context.occasion = Some(Occasion::Reset(Cause::Refused));
        let told = self.pipeline.ask_witnesses(Event::Reset, &mut self.context);
        told.await;
        self.take_occasion();
    }

    pub(super) async fn rcpt(
        &mut self,
        recipient: ForwardPath,
        parameters: Vec<Parameter>,
    ) -> Answer {
        self.set_candidate(Some(Recipient {
            path: recipient,
            parameters,
        }));
        let decision = self.ask(Event::Rcpt).await;
        let candidate = self.set_candidate(None);
        let (Decision::Pass | Decision::Defer(_), Some(recipient)) = (&decision, candidate) else {
            return answer_of(decision);
        };
        if let Some(refusal) = self.take_refusal(&recipient.path) {
            return Answer::Refuse(refusal);
        }
        if let Decision::Defer(refusal) = decision {
            if let Some(transaction) = &mut Arc::make_mut(&mut self.context).transaction {
                transaction.refused.push((recipient.path, refusal));
            }
            return Answer::Proceed(None);
        }
        match self.offer(&recipient).await {
            Ok(acceptance) => {
                if let Some(transaction) = &mut Arc::make_mut(&mut self.context).transaction {
                    transaction.recipients.push(recipient);
                }
                // The words of a backend would show whom a plugin has not let through to it.
                let is_usual = acceptance.reply().code() == 250;
                let is_hidden = is_usual && self.pipeline.handles(Event::Rcpt);
                Answer::Proceed((!is_hidden).then_some(acceptance))
            }
            Err(refusal) => Answer::Refuse(refusal),
        }
    }

    /// What was to be said about the recipient when the client came with the message before. It is
    /// said once.
    fn take_refusal(&self, recipient: &ForwardPath) -> Option<Refusal> {
        let session = &self.context.session;
        let sender = &self.context.transaction.as_ref()?.given_sender;
        let refusal = self
            .delivery
            .take_refusal(session.remote.ip(), sender, recipient)?;
        info!(
            session = session.id,
            recipient = recipient.as_str(),
            reply = %refusal.reply(),
            "refused as the last attempt was"
        );
        Some(refusal)
    }

    fn set_candidate(&mut self, candidate: Option<Recipient>) -> Option<Recipient> {
        let transaction = Arc::make_mut(&mut self.context).transaction.as_mut()?;
        mem::replace(&mut transaction.candidate, candidate)
    }

    /// The backend hears of the transaction with its first recipient.
    async fn offer(&mut self, recipient: &Recipient) -> Result<Acceptance, Refusal> {
        let Some(transaction) = &self.context.transaction else {
            return Err(Refusal::TRY_LATER);
        };
        let at_backend = self
            .at_backend
            .get_or_insert_with(|| AtBackend::begin(&self.delivery, transaction));
        let Recipient { path, parameters } = recipient;
        let offered = at_backend.transaction.offer(path, parameters).await;
        let acceptance = offered.map_err(|error| {
            note_backend(&self.context, &error);
            error.refusal()
        })?;
        at_backend.recipients.push(path.clone());
        Ok(acceptance)
    }
}

/// A refusal of the backend is its decision; anything else is its fault.
pub(super) fn note_backend(context: &Context, error: &DeliveryError) {
    let session = &context.session.id;
    match error {
        DeliveryError::Added(_) => warn!(session, %error, "not taken by the backend"),
        DeliveryError::Deferred { .. } => info!(session, %error, "the client is to try again"),
        DeliveryError::Refused(_) => info!(session, %error, "not taken by the backend"),
        _ => warn!(session, %error, "backend failed"),
    }
}
