//! Log lines about messages.

use postgate_delivery::DeliveryError;
use postgate_proto::address::ForwardPath;
use postgate_proto::session::Ending;
use postgate_runtime::context::Context;
use tracing::{Span, error_span, info, warn};

use super::core::Handler;
use super::disposition::Disposition;
use crate::error_chain::Chain;

impl Handler {
    /// Logs that the session has ended in the middle of a message, if it has.
    pub(super) fn log_unfinished(&self, ending: Ending) {
        let (Some(received), Some(transaction)) =
            (self.incoming.received, &self.context.transaction)
        else {
            return;
        };
        let envelope = &transaction.envelope;
        let recipients: Vec<_> = envelope.paths().map(ForwardPath::as_str).collect();
        info!(
            session = self.context.session.id,
            transaction = transaction.id,
            remote = %self.context.session.remote.ip(),
            sender = envelope.sender.as_str(),
            recipients = recipients.join(" "),
            received,
            %ending,
            "session ended in the middle of a message"
        );
    }

    /// Logs a message, in one line, and counts it.
    pub(super) fn log(&self, disposition: &Disposition) {
        let Some(transaction) = &self.context.transaction else {
            return;
        };
        let fate = disposition.fate.name();
        self.services.metrics.count_message(fate);
        let envelope = &transaction.envelope;
        let recipients: Vec<_> = envelope.paths().map(ForwardPath::as_str).collect();
        let refused = transaction.refused.iter();
        let refused: Vec<_> = refused.map(|(path, _)| path.as_str()).collect();
        let tags = self.context.tags.iter();
        let tags: Vec<_> = tags
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        info!(
            session = self.context.session.id,
            transaction = transaction.id,
            id = self.context.message_id(),
            remote = %self.context.session.remote.ip(),
            sender = envelope.sender.as_str(),
            recipients = recipients.join(" "),
            refused = refused.join(" "),
            size = self.context.message.size(),
            verdict = fate,
            reply = shortened(disposition.reply().to_string()),
            plugins = self.pipeline.verdict_log(),
            edits = self.pipeline.journal(),
            tags = shortened(tags.join(" ")),
            "message"
        );
    }
}

/// What the backend is asked on behalf of a session: its lines have the session in their span.
pub(super) fn delivery_span(context: &Context) -> Span {
    error_span!("delivery", session = context.session.id)
}

/// Logs why the backend did not accept a recipient or a message. A refusal is logged at level info, a
/// failure as a warning.
pub(super) fn log_delivery_error(context: &Context, error: &DeliveryError) {
    let session = &context.session.id;
    let shown = Chain(error);
    match error {
        DeliveryError::Added(_) => warn!(session, error = %shown, "not taken by the backend"),
        DeliveryError::Deferred { .. } => {
            info!(session, error = %shown, "delivered in part; the client has to try again");
        }
        DeliveryError::Mixed(mixed) if mixed.cause().is_none() => {
            info!(session, error = %shown, "delivered in part; the client has to try again");
        }
        DeliveryError::Refused(_) | DeliveryError::Reopened(_) => {
            info!(session, error = %shown, "not taken by the backend");
        }
        _ => warn!(session, error = %shown, "backend failed"),
    }
}

/// Truncates a text for a log line.
fn shortened(mut text: String) -> String {
    if text.len() > MAX_FIELD {
        text.truncate(text.floor_char_boundary(MAX_FIELD));
        text.push_str(" …");
    }
    text
}

/// The maximum length of a field in a log line, in octets.
const MAX_FIELD: usize = 8_192;
