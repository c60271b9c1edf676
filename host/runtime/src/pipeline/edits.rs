//! Applies the edits of an answer.

use std::sync::Arc;

use postgate_proto::address::ForwardPath;
use postgate_proto::data::into_lines;
use postgate_proto::envelope::Recipient;
use postgate_proto::header::HeaderEdit;
use postgate_proto::parameters::Body;
use postgate_proto::session::Settings;

use super::subject::Subject;
use crate::context::{Context, RemoteHost, Transaction};
use crate::convert::InvalidAnswer;
use crate::verdict::{ClientEdit, Edit, EnvelopeEdit, PluginAnswer};

/// Checks the recipients that an answer adds for a client that is not authenticated: a plugin cannot make
/// the gateway an open relay.
///
/// # Errors
///
/// Fails if the gateway does not relay for the domain of a recipient.
pub(super) fn check_relaying(
    answer: &PluginAnswer,
    context: &Context,
    settings: &Settings,
) -> Result<(), InvalidAnswer> {
    if context.authentication.is_some() {
        return Ok(());
    }
    for edit in &answer.edits {
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

/// What edits change.
pub(super) struct EditTarget<'a, 's> {
    pub(super) subject: &'a mut Subject<'s>,
    pub(super) context: &'a mut Context,
    /// Header edits that are applied once the header block has arrived.
    pub(super) deferred_headers: &'a mut Vec<HeaderEdit>,
}

impl EditTarget<'_, '_> {
    /// Applies an edit. [`Edit::Delay`] changes nothing here.
    pub(super) fn apply(self, edit: Edit) {
        let Self {
            subject,
            context,
            deferred_headers,
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
            Edit::PrependHeader(name, value) => {
                deferred_headers.push(HeaderEdit::Prepend(name, value))
            }
            Edit::Profile(edit) => edit.apply(Arc::make_mut(&mut context.profile)),
            Edit::ReplaceBody(body) => replace_body(body, context),
            Edit::SetId(id) => context.message.id = Some(id),
            Edit::Tag(name, value) if context.tags.len() < MAX_TAGS => {
                context.tags.push((name, value));
            }
            // The pipeline adds up delays. Tags beyond the limit are dropped.
            Edit::Delay(_) | Edit::Tag(..) => {}
        }
    }
}

/// Replaces the body. Unless the message is binary, the new one consists of lines from now on: what the
/// next plugin sees is what the backend gets.
fn replace_body(body: Vec<u8>, context: &mut Context) {
    let parameters = context.transaction.as_ref();
    let is_binary = parameters
        .is_some_and(|transaction| transaction.envelope.parameters.body == Some(Body::BinaryMime));
    let body = match is_binary {
        true => body,
        false => into_lines(body),
    };
    context.message.headers.separate_anew();
    let body = context.message.body.replaced(body);
    context.message.set_body(body);
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
        // The contract allows these edits only at events within a transaction.
        (_, Subject::Fixed(_) | Subject::Recipient(_), None) => {}
    }
}

fn edit_transaction(edit: EnvelopeEdit, transaction: &mut Transaction) {
    match edit {
        EnvelopeEdit::AddRecipient(path) => {
            if !transaction
                .envelope
                .paths()
                .any(|known| known.is_same(&path))
            {
                transaction.envelope.recipients.push(path.into());
            }
        }
        EnvelopeEdit::RefuseRecipient(path, refused) => {
            // As the client has spelled it, and will again at its next attempt.
            for known in remove(&path, transaction) {
                if !transaction
                    .refused
                    .iter()
                    .any(|(path, _)| *path == known.path)
                {
                    let refusal = refused.refusal.clone();
                    transaction.refused.push((known.path, refusal));
                }
            }
        }
        EnvelopeEdit::RemoveRecipient(path) => _ = remove(&path, transaction),
        // The contract allows this edit only at RCPT, where the subject is a recipient.
        EnvelopeEdit::RewriteRecipient(_) => {}
        EnvelopeEdit::RewriteSender(path) => transaction.envelope.sender = path,
    }
}

/// Removes a recipient, which the client may have named several times, in several spellings, and returns
/// it as often. Returns nothing if it is no recipient of the transaction.
fn remove(path: &ForwardPath, transaction: &mut Transaction) -> Vec<Recipient> {
    let recipients = &mut transaction.envelope.recipients;
    let is_it = |recipient: &mut Recipient| recipient.path.is_same(path);
    recipients.extract_if(.., is_it).collect()
}

/// The greatest number of tags of a session.
const MAX_TAGS: usize = 256;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use postgate_proto::data::LineEndings;
    use postgate_proto::header::{HeaderBlock, HeaderName, HeaderValue};

    use super::*;
    use crate::context::{Message, SessionFacts};
    use crate::question::Question;
    use postgate_mime::Mime;

    fn context() -> Context {
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Context::new(Arc::new(SessionFacts {
            id: "s".into(),
            connected_at: 0,
            listener: "in".into(),
            hostname: "mx.example.org".into(),
            banner: String::new(),
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
            let mime = Mime::find(&message.headers, Vec::new(), Vec::new()).unwrap();
            message.set_mime(Arc::new(mime));
            EditTarget {
                subject: &mut Subject::Fixed(Question::Message),
                context: &mut context,
                deferred_headers: &mut Vec::new(),
            }
            .apply(edit);
            assert!(context.message.mime().is_none());
        }
    }
}
