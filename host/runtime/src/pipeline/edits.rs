//! Applies the edits of an answer.

use std::sync::Arc;

use postgate_proto::header::HeaderBlock;
use postgate_proto::session::Settings;

use super::changes::Changes;
use super::subject::Subject;
use crate::context::{Context, RemoteHost};
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
    /// Fields that are added once the header block has arrived.
    pub(super) deferred_headers: &'a mut HeaderBlock,
}

impl EditTarget<'_, '_> {
    /// Applies the edits of an answer, of which most was worked out before.
    pub(super) fn apply(self, edits: Vec<Edit>, changes: Changes) {
        let Self {
            subject,
            context,
            deferred_headers,
        } = self;
        let mut body = None;
        for edit in edits {
            match edit {
                Edit::Client(edit) => {
                    let session = Arc::make_mut(&mut context.session);
                    match edit {
                        ClientEdit::Host(name) => session.remote_host = RemoteHost::Told(name),
                        ClientEdit::Ip(address) => session.remote.set_ip(address),
                    }
                }
                Edit::Envelope(EnvelopeEdit::RewriteRecipient(path)) => {
                    if let Subject::Recipient(recipient) = &mut *subject {
                        recipient.path = path;
                    }
                }
                Edit::Profile(edit) => edit.apply(Arc::make_mut(&mut context.profile)),
                Edit::ReplaceBody(octets) => body = Some(octets),
                Edit::SetId(id) => context.message.id = Some(id),
                Edit::Tag(name, value) if context.tags.len() < MAX_TAGS => {
                    context.tags.push((name, value));
                }
                // The pipeline adds up delays. Tags beyond the limit are dropped. The others are in `changes`.
                Edit::Delay(_)
                | Edit::Envelope(_)
                | Edit::Header(_)
                | Edit::PrependHeader(..)
                | Edit::Tag(..) => {}
            }
        }
        if let Some(headers) = changes.headers {
            context.message.take_over_headers(headers);
        }
        if let Some(fields) = changes.deferred_headers {
            deferred_headers.put_above(&fields);
        }
        if let Some(transaction) = changes.transaction {
            match subject {
                Subject::Transaction(proposed) => **proposed = Arc::new(transaction),
                Subject::Fixed(_) | Subject::Recipient(_) => {
                    context.transaction = Some(Arc::new(transaction));
                }
            }
        }
        if let Some(body) = changes.body.or(body) {
            context.message.headers.separate_anew();
            let body = context.message.body.replaced(body);
            context.message.set_body(body);
        }
    }
}

/// The greatest number of tags of a session.
const MAX_TAGS: usize = 256;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use postgate_proto::header::{HeaderEdit, HeaderName, HeaderValue};

    use super::*;
    use crate::context::{Message, SessionFacts};
    use crate::meter::Remainder;
    use crate::question::Question;
    use crate::verdict::Verdict;
    use postgate_mime::Mime;

    fn context() -> Context {
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Context::new(Arc::new(SessionFacts {
            id: "s".into(),
            hostname: "mx.example.org".into(),
            ..SessionFacts::without_listener(nobody)
        }))
    }

    #[tokio::test]
    async fn the_parts_are_looked_for_again_where_they_may_have_changed() {
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
            let answer = PluginAnswer {
                verdict: Verdict::Next,
                edits: vec![edit],
            };
            let work = |meter| Changes::of(&answer, Question::Message, &context, meter);
            let changes = Remainder::UNLIMITED.spend(drop, work).await.unwrap();
            EditTarget {
                subject: &mut Subject::Fixed(Question::Message),
                context: &mut context,
                deferred_headers: &mut HeaderBlock::default(),
            }
            .apply(answer.edits, changes);
            assert!(context.message.mime().is_none());
        }
    }
}
