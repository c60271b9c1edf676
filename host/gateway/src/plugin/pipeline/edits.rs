//! What the edits of an answer do.

use std::sync::Arc;

use postgate_proto::address::ForwardPath;
use postgate_proto::header::HeaderEdit;
use postgate_proto::session::Settings;

use crate::plugin::context::{Context, Transaction};
use crate::plugin::verdict::{ClientEdit, Edit, EnvelopeEdit, Opinion, PluginError};

/// A plugin can not make the gateway an open relay.
pub(super) fn check_relaying(
    opinion: &Opinion,
    context: &Context,
    settings: &Settings,
) -> Result<(), PluginError> {
    if context.authentication.is_some() {
        return Ok(());
    }
    for edit in &opinion.edits {
        let Edit::Envelope(EnvelopeEdit::AddRecipient(path) | EnvelopeEdit::RewriteRecipient(path)) =
            edit
        else {
            continue;
        };
        if !settings.relay.permit(path) {
            let text = format!("recipient {path} is of no domain in relay.domains");
            return Err(PluginError::Answer(text));
        }
    }
    Ok(())
}

pub(super) fn apply(edit: Edit, later: &mut Vec<HeaderEdit>, context: &mut Context) {
    match edit {
        Edit::Client(edit) => {
            let session = Arc::make_mut(&mut context.session);
            match edit {
                ClientEdit::Host(name) => session.remote_host = Some(name),
                ClientEdit::Ip(address) => session.remote.set_ip(address),
            }
        }
        Edit::Envelope(edit) => {
            if let Some(transaction) = &mut context.transaction {
                apply_to_envelope(edit, transaction);
            }
        }
        Edit::Header(edit) => context.message.headers.apply(&edit),
        Edit::LaterHeader(name, value) => later.push(HeaderEdit::Prepend(name, value)),
        Edit::ReplaceBody(body) => {
            context.message.headers.separate();
            let body = context.message.body.replaced(body);
            context.message.set_body(body);
        }
        Edit::SetId(id) => context.message.id = Some(id),
        Edit::Tag(name, value) if context.tags.len() < MAX_TAGS => context.tags.push((name, value)),
        // The caller keeps what is not about the context.
        Edit::Delay(_) | Edit::Tag(..) | Edit::Text(_) => {}
    }
}

fn apply_to_envelope(edit: EnvelopeEdit, transaction: &mut Transaction) {
    match edit {
        EnvelopeEdit::AddRecipient(path) => {
            if !transaction.paths().any(|known| *known == path) {
                transaction.recipients.push(path.into());
            }
        }
        EnvelopeEdit::RefuseRecipient(path, refused) => {
            if remove(&path, transaction) {
                transaction.refused.push((path, refused.refusal));
            }
        }
        EnvelopeEdit::RemoveRecipient(path) => _ = remove(&path, transaction),
        EnvelopeEdit::RewriteRecipient(path) => {
            if let Some(candidate) = &mut transaction.candidate {
                candidate.path = path;
            }
        }
        EnvelopeEdit::RewriteSender(path) => transaction.sender = path,
    }
}

/// Removes a recipient, however often the client has named it. Says whether it was there.
fn remove(path: &ForwardPath, transaction: &mut Transaction) -> bool {
    let before = transaction.recipients.len();
    transaction
        .recipients
        .retain(|recipient| recipient.path != *path);
    transaction.recipients.len() < before
}

/// So many tags are kept in a session; more are dropped.
const MAX_TAGS: usize = 256;
