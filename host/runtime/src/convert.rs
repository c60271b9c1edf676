//! Generated types into the gateway's own, and back: the only files that name both. Whatever breaks a
//! rule of the contract ends here, with a text that names the rule.

mod argument;
mod edit;

use postgate_proto::address::Charset;
use postgate_proto::auth::ScramKeys;
use postgate_proto::reply::{Acceptance, Enhanced, Refusal, Reply};
use zeroize::Zeroizing;

pub(super) use self::argument::{
    body_chunk, cause, command_line, credentials, outcome, parameters, summary,
};
use self::edit::{
    ehlo_keyword, header_edit, header_field, is_host_name, is_text, keyword, mechanisms, one_line,
    recipient, replace_body, rewrite_sender, session_edit,
};
use crate::bindings::events::{
    on_auth, on_auth_keys, on_body_chunk, on_command, on_connect, on_data, on_expn, on_headers,
    on_helo, on_help, on_mail, on_message, on_proxy, on_rcpt, on_starttls, on_vrfy,
};
use crate::bindings::host::types;
use crate::verdict::{ClientEdit, Edit, EnvelopeEdit, Opinion, Refused, TextEdit, Verdict};

/// A rule of the contract that an answer breaks.
type Broken = String;

pub(super) fn proxy(answer: on_proxy::ProxyAnswer) -> Result<Opinion, Broken> {
    use types::ProxyEdit;
    opinion(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        ProxyEdit::SetClientHost(name) => match is_host_name(&name) {
            true => Ok(Edit::Client(ClientEdit::Host(name))),
            false => Err(format!("{name:?} is no host name")),
        },
        ProxyEdit::SetClientIp(text) => text
            .parse()
            .map(|address| Edit::Client(ClientEdit::Ip(address)))
            .map_err(|_| format!("{text:?} is no IP address")),
        ProxyEdit::Session(edit) => session_edit(edit),
    })
}

pub(super) fn connect(answer: on_connect::ConnectAnswer) -> Result<Opinion, Broken> {
    use types::ConnectEdit;
    opinion(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        ConnectEdit::AddEhloKeyword(keyword) => ehlo_keyword(keyword),
        ConnectEdit::AddMailParameter(name) => keyword(name, TextEdit::AddMailParameter),
        ConnectEdit::AddRcptParameter(name) => keyword(name, TextEdit::AddRcptParameter),
        ConnectEdit::AddVerb(verb) => keyword(verb, TextEdit::AddVerb),
        ConnectEdit::SetBanner(text) => Ok(Edit::Text(TextEdit::SetBanner(one_line(&text)))),
        ConnectEdit::SetGreeting(text) => Ok(Edit::Text(TextEdit::SetGreeting(one_line(&text)))),
        ConnectEdit::Session(edit) => session_edit(edit),
    })
}

pub(super) fn helo(answer: on_helo::HeloAnswer) -> Result<Opinion, Broken> {
    use types::HeloEdit;
    opinion(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        HeloEdit::AddEhloKeyword(keyword) => ehlo_keyword(keyword),
        HeloEdit::AddMailParameter(name) => keyword(name, TextEdit::AddMailParameter),
        HeloEdit::AddRcptParameter(name) => keyword(name, TextEdit::AddRcptParameter),
        HeloEdit::AddVerb(verb) => keyword(verb, TextEdit::AddVerb),
        HeloEdit::LimitAuthMechanisms(names) => {
            Ok(Edit::Text(TextEdit::LimitMechanisms(mechanisms(&names))))
        }
        HeloEdit::SetGreeting(text) => Ok(Edit::Text(TextEdit::SetGreeting(one_line(&text)))),
        HeloEdit::Session(edit) => session_edit(edit),
    })
}

pub(super) fn starttls(answer: on_starttls::StarttlsAnswer) -> Result<Opinion, Broken> {
    opinion(verdict(answer.verdict)?, answer.edits, session_edit)
}

pub(super) fn auth_keys(keys: Option<on_auth_keys::ScramKeys>) -> Result<Opinion, Broken> {
    let Some(keys) = keys else {
        return Ok(Opinion::NEXT);
    };
    let (stored_key, server_key) = (
        Zeroizing::new(keys.stored_key),
        Zeroizing::new(keys.server_key),
    );
    let keys = ScramKeys::new(keys.salt, keys.iterations, &stored_key, &server_key);
    Ok(Opinion {
        verdict: Verdict::Keys(keys.map_err(|error| error.to_string())?),
        edits: Vec::new(),
    })
}

pub(super) fn auth(answer: on_auth::AuthAnswer) -> Result<Opinion, Broken> {
    use types::AuthVerdict;
    let verdict = match answer.verdict {
        AuthVerdict::Accept(identity) => match identity.len() {
            1..=255 if is_text(&identity) => Verdict::Authenticate(identity),
            _ => return Err("an identity has 1 to 255 octets without control characters".into()),
        },
        AuthVerdict::Disconnect(refusal) => Verdict::Disconnect(refused(refusal)?),
        AuthVerdict::Next => Verdict::Next,
        AuthVerdict::Refuse(refusal) => Verdict::Refuse(refused(refusal)?),
    };
    opinion(verdict, answer.edits, session_edit)
}

pub(super) fn mail(answer: on_mail::MailAnswer, charset: Charset) -> Result<Opinion, Broken> {
    use types::MailEdit;
    opinion(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        MailEdit::RewriteSender(text) => rewrite_sender(&text, charset),
        MailEdit::Session(edit) => session_edit(edit),
    })
}

pub(super) fn rcpt(answer: on_rcpt::RcptAnswer, charset: Charset) -> Result<Opinion, Broken> {
    use types::{RcptEdit, RcptVerdict};
    let verdict = match answer.verdict {
        RcptVerdict::Accept => Verdict::Accept,
        RcptVerdict::Defer(refusal) => Verdict::Defer(refused(refusal)?),
        RcptVerdict::Disconnect(refusal) => Verdict::Disconnect(refused(refusal)?),
        RcptVerdict::Next => Verdict::Next,
        RcptVerdict::Refuse(refusal) => Verdict::Refuse(refused(refusal)?),
    };
    opinion(verdict, answer.edits, |edit| match edit {
        RcptEdit::RewriteRecipient(text) => recipient(&text, charset)
            .map(EnvelopeEdit::RewriteRecipient)
            .map(Edit::Envelope),
        RcptEdit::Session(edit) => session_edit(edit),
    })
}

pub(super) fn data(answer: on_data::DataAnswer) -> Result<Opinion, Broken> {
    use types::DataEdit;
    opinion(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        DataEdit::PrependHeader(field) => {
            header_field(&field).map(|(name, value)| Edit::LaterHeader(name, value))
        }
        DataEdit::Session(edit) => session_edit(edit),
    })
}

pub(super) fn headers(answer: on_headers::HeadersAnswer) -> Result<Opinion, Broken> {
    use types::HeadersEdit;
    opinion(verdict(answer.verdict)?, answer.edits, |edit| match edit {
        HeadersEdit::Header(edit) => header_edit(edit),
        HeadersEdit::Session(edit) => session_edit(edit),
    })
}

pub(super) fn message(
    answer: on_message::MessageAnswer,
    charset: Charset,
) -> Result<Opinion, Broken> {
    use types::{MessageEdit, MessageVerdict};
    let verdict = match answer.verdict {
        MessageVerdict::Accept => Verdict::Accept,
        MessageVerdict::Discard(reason) => Verdict::Discard(one_line(&reason)),
        MessageVerdict::Disconnect(refusal) => Verdict::Disconnect(refused(refusal)?),
        MessageVerdict::Next => Verdict::Next,
        MessageVerdict::Quarantine(reason) => Verdict::Quarantine(one_line(&reason)),
        MessageVerdict::Refuse(refusal) => Verdict::Refuse(refused(refusal)?),
    };
    opinion(verdict, answer.edits, |edit| match edit {
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
        MessageEdit::ReplaceBody(body) => replace_body(body),
        MessageEdit::RewriteSender(text) => rewrite_sender(&text, charset),
        MessageEdit::SetId(id) => match id.len() {
            1..=100 if id.bytes().all(|octet| octet.is_ascii_graphic()) => Ok(Edit::SetId(id)),
            _ => Err(format!(
                "{id:?} is no id of 1 to 100 printable ASCII characters without blanks"
            )),
        },
        MessageEdit::Session(edit) => session_edit(edit),
    })
}

pub(super) fn body_chunk_answer(answer: on_body_chunk::BodyChunkAnswer) -> Result<Opinion, Broken> {
    opinion(verdict(answer.verdict)?, answer.edits, session_edit)
}

pub(super) fn vrfy(answer: on_vrfy::VrfyAnswer) -> Result<Opinion, Broken> {
    let verdict = query_verdict(answer.verdict, |code| matches!(code, 250..=252))?;
    opinion(verdict, answer.edits, session_edit)
}

pub(super) fn expn(answer: on_expn::ExpnAnswer) -> Result<Opinion, Broken> {
    let verdict = query_verdict(answer.verdict, |code| matches!(code, 250 | 252))?;
    opinion(verdict, answer.edits, session_edit)
}

pub(super) fn help(answer: on_help::HelpAnswer) -> Result<Opinion, Broken> {
    let verdict = query_verdict(answer.verdict, |code| matches!(code, 211 | 214))?;
    opinion(verdict, answer.edits, session_edit)
}

/// A command that the gateway knows is carried out by the gateway, whatever reply would accept it.
pub(super) fn command(answer: on_command::CommandAnswer, known: bool) -> Result<Opinion, Broken> {
    let verdict = match query_verdict(answer.verdict, |_| true)? {
        Verdict::Answer(_) if known => Verdict::Next,
        verdict => verdict,
    };
    opinion(verdict, answer.edits, session_edit)
}

fn opinion<E>(
    verdict: Verdict,
    edits: Vec<E>,
    convert: impl Fn(E) -> Result<Edit, Broken>,
) -> Result<Opinion, Broken> {
    let edits = edits.into_iter().map(convert).collect::<Result<_, _>>()?;
    Ok(Opinion { verdict, edits })
}

fn verdict(verdict: types::Verdict) -> Result<Verdict, Broken> {
    Ok(match verdict {
        types::Verdict::Accept => Verdict::Accept,
        types::Verdict::Disconnect(refusal) => Verdict::Disconnect(refused(refusal)?),
        types::Verdict::Next => Verdict::Next,
        types::Verdict::Refuse(refusal) => Verdict::Refuse(refused(refusal)?),
    })
}

/// Checked is also that the code of an answer is one that its question can have; any refusal can.
fn query_verdict(
    verdict: types::QueryVerdict,
    is_answer: fn(u16) -> bool,
) -> Result<Verdict, Broken> {
    Ok(match verdict {
        types::QueryVerdict::Disconnect(refusal) => Verdict::Disconnect(refused(refusal)?),
        types::QueryVerdict::Next => Verdict::Next,
        types::QueryVerdict::Reply(reply) => {
            let reply = checked_reply(reply)?;
            match Acceptance::new(reply.clone()) {
                Ok(_) if !is_answer(reply.code()) => {
                    return Err(format!("reply code {} is not allowed here", reply.code()));
                }
                Ok(acceptance) => Verdict::Answer(acceptance),
                Err(_) => Verdict::Refuse(Refused {
                    refusal: Refusal::new(reply).map_err(|error| error.to_string())?,
                    reason: None,
                }),
            }
        }
    })
}

fn checked_reply(reply: types::Reply) -> Result<Reply, Broken> {
    let enhanced = match reply.enhanced {
        None => None,
        Some(code) => Some(
            Enhanced::checked(code.class, code.subject, code.detail)
                .ok_or_else(|| String::from("this is no enhanced status code"))?,
        ),
    };
    Reply::new(reply.code, enhanced, reply.lines)
        .map(Reply::shortened)
        .map_err(|error| error.to_string())
}

fn refused(refusal: types::Refusal) -> Result<Refused, Broken> {
    let reply = checked_reply(refusal.reply)?;
    Ok(Refused {
        refusal: Refusal::new(reply).map_err(|error| error.to_string())?,
        reason: refusal.reason.as_deref().map(one_line),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16, enhanced: Option<(u8, u16, u16)>, line: &str) -> types::Refusal {
        types::Refusal {
            reply: types::Reply {
                code,
                enhanced: enhanced.map(|(class, subject, detail)| types::EnhancedCode {
                    class,
                    subject,
                    detail,
                }),
                lines: vec![line.into()],
            },
            reason: None,
        }
    }

    #[test]
    fn a_reply_is_no_longer_than_a_client_is_to_read() {
        let long = "\u{e9}".repeat(2_000_000);
        let mut given = refusal(550, None, &long);
        given.reply.lines.push("a\r\n".repeat(170_000));
        let refused = refused(given).unwrap();
        let lines: Vec<_> = refused.refusal.reply().lines().collect();
        assert_eq!(lines.len(), 100);
        assert_eq!((lines[0].len(), lines[99]), (512, "a"));
        let mut out = Vec::new();
        refused.refusal.reply().write(&mut out);
        assert_eq!(out.iter().filter(|octet| **octet == b'\n').count(), 100);
    }

    #[test]
    fn refusals_are_filled_in_and_checked() {
        let table = [
            (refusal(550, None, "no"), Ok("550 5.7.1 no")),
            (
                refusal(450, None, ""),
                Ok("450 4.2.0 Mailbox temporarily unavailable"),
            ),
            (
                refusal(550, Some((5, 1, 1)), "a\r\nb"),
                Ok("550 5.1.1 a / b"),
            ),
            (
                refusal(999, None, ""),
                Err("reply code 999 is not allowed here"),
            ),
            (
                refusal(250, None, ""),
                Err("reply code 250 is not allowed here"),
            ),
            (
                refusal(550, Some((4, 0, 0)), ""),
                Err("enhanced code 4.0.0 does not go with reply code 550"),
            ),
            (
                refusal(550, Some((3, 0, 0)), ""),
                Err("this is no enhanced status code"),
            ),
        ];
        for (given, expected) in table {
            let got = refused(given).map(|refused| refused.refusal.reply().to_string());
            assert_eq!(
                got.as_ref().map(String::as_str).map_err(String::as_str),
                expected
            );
        }
    }

    fn query(code: u16) -> types::QueryVerdict {
        types::QueryVerdict::Reply(refusal(code, None, "").reply)
    }

    /// The codes below 400 with which a question can be answered. All others can refuse it.
    fn answers(ask: impl Fn(types::QueryVerdict) -> Result<Opinion, Broken>) -> Vec<u16> {
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
