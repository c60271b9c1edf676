//! Converts the answer of each event function, and checks it.

use postgate_proto::address::Charset;
use postgate_proto::auth::{KeyShape, ScramKeys};
use zeroize::Zeroizing;

use super::edit::{
    ehlo_keyword, excerpt, header_edit, header_field, is_host_name, is_text, keyword, mechanisms,
    one_line, recipient, rewrite_sender, session_edit,
};
use super::invalid_answer::InvalidAnswer;
use super::unchecked::Unchecked;
use super::verdict::{query_verdict, refused, verdict};
use crate::bindings::events::{
    on_auth, on_auth_keys, on_body_chunk, on_command, on_connect, on_data, on_expn, on_headers,
    on_helo, on_help, on_mail, on_message, on_proxy, on_rcpt, on_starttls, on_vrfy,
};
use crate::bindings::host::types;
use crate::verdict::{ClientEdit, Edit, EnvelopeEdit, ProfileEdit, Verdict};

pub(crate) fn proxy(answer: on_proxy::ProxyAnswer) -> Result<Unchecked, InvalidAnswer> {
    use types::ProxyEdit;
    checked(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        ProxyEdit::SetClientHost(name) => match is_host_name(&name) {
            true => Ok(Edit::Client(ClientEdit::Host(name))),
            false => Err(InvalidAnswer::HostName(excerpt(name))),
        },
        ProxyEdit::SetClientIp(text) => match text.parse() {
            Ok(address) => Ok(Edit::Client(ClientEdit::Ip(address))),
            Err(error) => {
                let text = excerpt(text);
                Err(InvalidAnswer::IpAddress { text, error })
            }
        },
        ProxyEdit::Session(edit) => session_edit(edit),
    })
}

pub(crate) fn connect(answer: on_connect::ConnectAnswer) -> Result<Unchecked, InvalidAnswer> {
    use types::ConnectEdit;
    checked(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        ConnectEdit::AddEhloKeyword(keyword) => ehlo_keyword(keyword),
        ConnectEdit::AddMailParameter(name) => keyword(name, ProfileEdit::AddMailParameter),
        ConnectEdit::AddRcptParameter(name) => keyword(name, ProfileEdit::AddRcptParameter),
        ConnectEdit::AddVerb(verb) => keyword(verb, ProfileEdit::AddVerb),
        ConnectEdit::SetBanner(text) => Ok(Edit::Profile(ProfileEdit::SetBanner(one_line(&text)))),
        ConnectEdit::SetGreeting(text) => {
            Ok(Edit::Profile(ProfileEdit::SetGreeting(one_line(&text))))
        }
        ConnectEdit::Session(edit) => session_edit(edit),
    })
}

pub(crate) fn helo(answer: on_helo::HeloAnswer) -> Result<Unchecked, InvalidAnswer> {
    use types::HeloEdit;
    checked(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        HeloEdit::AddEhloKeyword(keyword) => ehlo_keyword(keyword),
        HeloEdit::AddMailParameter(name) => keyword(name, ProfileEdit::AddMailParameter),
        HeloEdit::AddRcptParameter(name) => keyword(name, ProfileEdit::AddRcptParameter),
        HeloEdit::AddVerb(verb) => keyword(verb, ProfileEdit::AddVerb),
        HeloEdit::LimitAuthMechanisms(names) => Ok(Edit::Profile(ProfileEdit::LimitMechanisms(
            mechanisms(&names),
        ))),
        HeloEdit::SetGreeting(text) => Ok(Edit::Profile(ProfileEdit::SetGreeting(one_line(&text)))),
        HeloEdit::Session(edit) => session_edit(edit),
    })
}

pub(crate) fn starttls(answer: on_starttls::StarttlsAnswer) -> Result<Unchecked, InvalidAnswer> {
    checked(verdict(answer.verdict)?, answer.edits, session_edit)
}

pub(crate) fn auth_keys(keys: Option<on_auth_keys::ScramKeys>) -> Result<Unchecked, InvalidAnswer> {
    let Some(keys) = keys else {
        return Ok(Unchecked::of(Verdict::Next));
    };
    let (stored_key, server_key) = (
        Zeroizing::new(keys.stored_key),
        Zeroizing::new(keys.server_key),
    );
    let verdict = match stored_key.is_empty() && server_key.is_empty() {
        true => Verdict::Decoy(KeyShape::new(keys.salt.len(), keys.iterations)?),
        false => {
            let keys = ScramKeys::new(keys.salt, keys.iterations, &stored_key, &server_key);
            Verdict::Keys(keys?)
        }
    };
    Ok(Unchecked::of(verdict))
}

pub(crate) fn auth(answer: on_auth::AuthAnswer) -> Result<Unchecked, InvalidAnswer> {
    use types::AuthVerdict;
    let verdict = match answer.verdict {
        AuthVerdict::Accept(identity) => match identity.len() {
            1..=255 if is_text(&identity) => Verdict::Authenticate(identity),
            _ => return Err(InvalidAnswer::Identity),
        },
        AuthVerdict::Disconnect(refusal) => Verdict::Disconnect(refused(refusal)?),
        AuthVerdict::Next => Verdict::Next,
        AuthVerdict::Refuse(refusal) => Verdict::Refuse(refused(refusal)?),
    };
    checked(verdict, answer.edits, session_edit)
}

pub(crate) fn mail(
    answer: on_mail::MailAnswer,
    charset: Charset,
) -> Result<Unchecked, InvalidAnswer> {
    use types::MailEdit;
    checked(
        verdict(answer.verdict)?,
        answer.edits,
        move |edit| match edit {
            MailEdit::RewriteSender(text) => rewrite_sender(&text, charset),
            MailEdit::Session(edit) => session_edit(edit),
        },
    )
}

pub(crate) fn rcpt(
    answer: on_rcpt::RcptAnswer,
    charset: Charset,
) -> Result<Unchecked, InvalidAnswer> {
    use types::{RcptEdit, RcptVerdict};
    let verdict = match answer.verdict {
        RcptVerdict::Accept => Verdict::Accept,
        RcptVerdict::Defer(refusal) => Verdict::Defer(refused(refusal)?),
        RcptVerdict::Disconnect(refusal) => Verdict::Disconnect(refused(refusal)?),
        RcptVerdict::Next => Verdict::Next,
        RcptVerdict::Refuse(refusal) => Verdict::Refuse(refused(refusal)?),
    };
    checked(verdict, answer.edits, move |edit| match edit {
        RcptEdit::RewriteRecipient(text) => recipient(&text, charset)
            .map(EnvelopeEdit::RewriteRecipient)
            .map(Edit::Envelope),
        RcptEdit::Session(edit) => session_edit(edit),
    })
}

pub(crate) fn data(answer: on_data::DataAnswer) -> Result<Unchecked, InvalidAnswer> {
    use types::DataEdit;
    checked(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        DataEdit::PrependHeader(field) => {
            header_field(&field).map(|(name, value)| Edit::PrependHeader(name, value))
        }
        DataEdit::Session(edit) => session_edit(edit),
    })
}

pub(crate) fn headers(answer: on_headers::HeadersAnswer) -> Result<Unchecked, InvalidAnswer> {
    use types::HeadersEdit;
    checked(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        HeadersEdit::Header(edit) => header_edit(edit),
        HeadersEdit::Session(edit) => session_edit(edit),
    })
}

pub(crate) fn message(
    answer: on_message::MessageAnswer,
    charset: Charset,
) -> Result<Unchecked, InvalidAnswer> {
    use types::{MessageEdit, MessageVerdict};
    let verdict = match answer.verdict {
        MessageVerdict::Accept => Verdict::Accept,
        MessageVerdict::Discard(reason) => Verdict::Discard(one_line(&reason)),
        MessageVerdict::Disconnect(refusal) => Verdict::Disconnect(refused(refusal)?),
        MessageVerdict::Next => Verdict::Next,
        MessageVerdict::Quarantine(reason) => Verdict::Quarantine(one_line(&reason)),
        MessageVerdict::Refuse(refusal) => Verdict::Refuse(refused(refusal)?),
    };
    checked(verdict, answer.edits, move |edit| match edit {
        MessageEdit::AddRecipient(text) => recipient(&text, charset)
            .map(EnvelopeEdit::AddRecipient)
            .map(Edit::Envelope),
        MessageEdit::Header(edit) => header_edit(edit),
        MessageEdit::RefuseRecipient(refusal) => {
            let path = recipient(&refusal.recipient, charset)?;
            let refused = refused(refusal.refusal)?;
            Ok(Edit::Envelope(EnvelopeEdit::RefuseRecipient(path, refused)))
        }
        MessageEdit::RemoveRecipient(text) => recipient(&text, charset)
            .map(EnvelopeEdit::RemoveRecipient)
            .map(Edit::Envelope),
        MessageEdit::ReplaceBody(body) => Ok(Edit::ReplaceBody(body)),
        MessageEdit::RewriteSender(text) => rewrite_sender(&text, charset),
        MessageEdit::SetId(id) => match id.len() {
            1..=100 if id.bytes().all(|octet| octet.is_ascii_graphic()) => Ok(Edit::SetId(id)),
            _ => Err(InvalidAnswer::MessageId(excerpt(id))),
        },
        MessageEdit::Session(edit) => session_edit(edit),
    })
}

pub(crate) fn body_chunk_answer(
    answer: on_body_chunk::BodyChunkAnswer,
) -> Result<Unchecked, InvalidAnswer> {
    checked(verdict(answer.verdict)?, answer.edits, session_edit)
}

pub(crate) fn vrfy(answer: on_vrfy::VrfyAnswer) -> Result<Unchecked, InvalidAnswer> {
    let verdict = query_verdict(answer.verdict, |code| matches!(code, 250..=252))?;
    checked(verdict, answer.edits, session_edit)
}

pub(crate) fn expn(answer: on_expn::ExpnAnswer) -> Result<Unchecked, InvalidAnswer> {
    let verdict = query_verdict(answer.verdict, |code| matches!(code, 250 | 252))?;
    checked(verdict, answer.edits, session_edit)
}

pub(crate) fn help(answer: on_help::HelpAnswer) -> Result<Unchecked, InvalidAnswer> {
    let verdict = query_verdict(answer.verdict, |code| matches!(code, 211 | 214))?;
    checked(verdict, answer.edits, session_edit)
}

/// A positive reply to a command that the gateway knows (`known`) counts as `next`: the gateway carries the
/// command out and replies itself.
pub(crate) fn command(
    answer: on_command::CommandAnswer,
    known: bool,
) -> Result<Unchecked, InvalidAnswer> {
    let verdict = match query_verdict(answer.verdict, |_| true)? {
        Verdict::Answer(_) if known => Verdict::Next,
        verdict => verdict,
    };
    checked(verdict, answer.edits, session_edit)
}

/// Combines a verdict with edits, each of which `convert` will check.
fn checked<E: Send + 'static>(
    verdict: Verdict,
    edits: Vec<E>,
    convert: impl Fn(E) -> Result<Edit, InvalidAnswer> + Send + 'static,
) -> Result<Unchecked, InvalidAnswer> {
    let edits = match edits.as_slice() {
        [] => return Ok(Unchecked::of(verdict)),
        _ => edits.into_iter().map(convert),
    };
    Ok(Unchecked {
        verdict,
        edits: Some(Box::new(edits)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::verdict::tests::refusal;
    use super::*;

    fn query(code: u16) -> types::QueryVerdict {
        types::QueryVerdict::Reply(refusal(code, None, "").reply)
    }

    /// The codes below 400 with which a question can be answered. All others can refuse it.
    fn answers(ask: impl Fn(types::QueryVerdict) -> Result<Unchecked, InvalidAnswer>) -> Vec<u16> {
        assert!((400..600).all(|code| ask(query(code)).is_ok()));
        (200..400)
            .filter(|code| ask(query(*code)).is_ok())
            .collect()
    }

    #[test]
    fn an_answer_has_a_code_of_its_question() {
        let edits = Vec::new();
        let of_vrfy = answers(|verdict| {
            vrfy(on_vrfy::VrfyAnswer {
                verdict,
                edits: edits.clone(),
            })
        });
        assert_eq!(of_vrfy, [250, 251, 252]);
        let of_expn = answers(|verdict| {
            expn(on_expn::ExpnAnswer {
                verdict,
                edits: edits.clone(),
            })
        });
        assert_eq!(of_expn, [250, 252]);
        let of_help = answers(|verdict| {
            help(on_help::HelpAnswer {
                verdict,
                edits: edits.clone(),
            })
        });
        assert_eq!(of_help, [211, 214]);
        for known in [false, true] {
            let of_command = answers(|verdict| {
                let edits = edits.clone();
                command(on_command::CommandAnswer { verdict, edits }, known)
            });
            assert_eq!(of_command, (200..300).collect::<Vec<_>>());
        }
    }
}
