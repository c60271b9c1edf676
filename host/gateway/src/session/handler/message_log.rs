//! What the log says about a message.

use postgate_delivery::DeliveryError;
use postgate_proto::address::ForwardPath;
use postgate_runtime::context::Context;
use tracing::{info, warn};

use super::core::Handler;
use super::disposition::Disposition;
use crate::error_chain::Chain;

impl Handler {
    /// Writes the one line that each message leaves, and counts it.
    pub(super) fn log(&self, disposition: &Disposition) {
        let Some(transaction) = &self.context.transaction else {
            return;
        };
        let fate = disposition.fate.name();
        self.services.metrics.message(fate);
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

/// Logs why a recipient or a message was not taken. A refusal of the backend is its decision; anything
/// else is its fault.
pub(super) fn log_delivery_error(context: &Context, error: &DeliveryError) {
    let session = &context.session.id;
    let shown = Chain(error);
    match error {
        DeliveryError::Added(_) => warn!(session, error = %shown, "not taken by the backend"),
        DeliveryError::Deferred { .. } => {
            info!(session, error = %shown, "the client is to try again");
        }
        DeliveryError::Refused(_) => info!(session, error = %shown, "not taken by the backend"),
        _ => warn!(session, error = %shown, "backend failed"),
    }
}

/// A text of any length as a log line shows it.
fn shortened(mut text: String) -> String {
    if text.len() > MAX_FIELD {
        text.truncate(text.floor_char_boundary(MAX_FIELD));
        text.push_str(" …");
    }
    text
}

/// How much of a text a log line shows, in octets.
const MAX_FIELD: usize = 8_192;
