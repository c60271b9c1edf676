//! What the edits of an answer do.

use std::sync::Arc;

use postgate_proto::address::ForwardPath;
use postgate_proto::header::HeaderEdit;
use postgate_proto::session::Settings;

use super::subject::Subject;
use crate::context::{Context, RemoteHost, Transaction};
use crate::convert::InvalidAnswer;
use crate::verdict::{ClientEdit, Edit, EnvelopeEdit, Opinion};

/// A plugin cannot make the gateway an open relay.
pub(super) fn check_relaying(
    opinion: &Opinion,
    context: &Context,
    settings: &Settings,
) -> Result<(), InvalidAnswer> {
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
            return Err(InvalidAnswer::NotRelayed(path.clone()));
        }
    }
    Ok(())
}

/// What the edits of an answer change.
pub(super) struct Change<'a, 's> {
    pub(super) subject: &'a mut Subject<'s>,
    pub(super) context: &'a mut Context,
    /// Fields that are added once the header block is there.
    pub(super) later: &'a mut Vec<HeaderEdit>,
}

impl Change<'_, '_> {
    pub(super) fn apply(self, edit: Edit) {
        let Self {
            subject,
            context,
            later,
        } = self;
        match edit {
            Edit::Client(edit) => {
                let session = Arc::make_mut(&mut context.session);
                match edit {
                    ClientEdit::Host(name) => session.remote_host = RemoteHost::Told(name),
                    ClientEdit::Ip(address) => session.remote.set_ip(address),
                }
            }
            Edit::Envelope(edit) => apply_to_envelope(edit, subject, context),
            Edit::Header(edit) => context.message.edit_headers(&edit),
            Edit::LaterHeader(name, value) => later.push(HeaderEdit::Prepend(name, value)),
            Edit::Profile(edit) => edit.apply(Arc::make_mut(&mut context.profile)),
            Edit::ReplaceBody(body) => {
                context.message.headers.separate();
                let body = context.message.body.replaced(body);
                context.message.set_body(body);
            }
            Edit::SetId(id) => context.message.id = Some(id),
            Edit::Tag(name, value) if context.tags.len() < MAX_TAGS => {
                context.tags.push((name, value));
            }
            // The pipeline adds up delays.
            Edit::Delay(_) | Edit::Tag(..) => {}
        }
    }
}

fn apply_to_envelope(edit: EnvelopeEdit, subject: &mut Subject<'_>, context: &mut Context) {
    match (edit, subject, context.transaction.as_mut()) {
        (EnvelopeEdit::RewriteRecipient(path), Subject::Recipient(recipient), _) => {
            recipient.path = path;
        }
        (edit, Subject::Transaction(transaction), _) => {
            edit_transaction(edit, Arc::make_mut(transaction));
        }
        (edit, Subject::Fixed(_) | Subject::Recipient(_), Some(transaction)) => {
            edit_transaction(edit, Arc::make_mut(transaction));
        }
        // The contract has these edits only for events at which there is a transaction.
        (_, Subject::Fixed(_) | Subject::Recipient(_), None) => {}
    }
}

fn edit_transaction(edit: EnvelopeEdit, transaction: &mut Transaction) {
    match edit {
        EnvelopeEdit::AddRecipient(path) => {
            if !transaction.envelope.paths().any(|known| *known == path) {
                transaction.envelope.recipients.push(path.into());
            }
        }
        EnvelopeEdit::RefuseRecipient(path, refused) => {
            if remove(&path, transaction) {
                transaction.refused.push((path, refused.refusal));
            }
        }
        EnvelopeEdit::RemoveRecipient(path) => _ = remove(&path, transaction),
        // Only a recipient that is being decided on can be rewritten.
        EnvelopeEdit::RewriteRecipient(_) => {}
        EnvelopeEdit::RewriteSender(path) => transaction.envelope.sender = path,
    }
}

/// Removes a recipient, however often the client has named it. Says whether it was there.
fn remove(path: &ForwardPath, transaction: &mut Transaction) -> bool {
    let recipients = &mut transaction.envelope.recipients;
    let before = recipients.len();
    recipients.retain(|recipient| recipient.path != *path);
    recipients.len() < before
}

/// So many tags are kept in a session; more are dropped.
const MAX_TAGS: usize = 256;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use postgate_proto::data::LineEndings;
    use postgate_proto::header::{HeaderBlock, HeaderName, HeaderValue};

    use super::*;
    use crate::context::{Message, SessionFacts};
    use postgate_mime::Mime;

    fn context() -> Context {
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Context::new(Arc::new(SessionFacts {
            id: "s".into(),
            connected_at: 0,
            listener: "in".into(),
            hostname: "mx.example.org".into(),
            local: nobody,
            remote: nobody,
            remote_host: RemoteHost::Unknown,
            proxy: None,
            line_endings: LineEndings::Strict,
        }))
    }

    #[test]
    fn the_parts_are_looked_for_again_where_they_may_have_changed() {
        let field = HeaderEdit::Set(
            HeaderName::new("Content-Type").unwrap(),
            HeaderValue::new(b"text/html").unwrap(),
        );
        for edit in [Edit::Header(field), Edit::ReplaceBody(b"x\r\n".to_vec())] {
            let mut context = context();
            let headers = HeaderBlock::parse(b"Subject: x\r\n\r\n".to_vec());
            context.message = Message::of_headers(headers, 0);
            let message = &context.message;
            let mime = Mime::find(&message.headers, message.body.clone()).unwrap();
            message.set_mime(Arc::new(mime));
            apply(edit, &mut Vec::new(), &mut context);
            assert!(context.message.mime().is_none());
        }
    }
}
