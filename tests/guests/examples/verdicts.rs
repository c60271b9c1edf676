//! Gives the verdict that the client asks for: in the HELO name, in the local part of the sender
//! or recipient, in the password, or in the header field `X-Verdict`.
//!
//! The names are `accept`, `disconnect`, `refuse` with a code as in `refuse450`, for a recipient
//! `defer` with one as in `defer550`, for a message `discard` and `quarantine`, and anything else is
//! no objection.

use postgate_plugin::prelude::*;
use postgate_plugin::{Address, Answer, Verdict};

#[derive(Default)]
struct Verdicts;

impl OnHelo for Verdicts {
    fn on_helo(&mut self, name: &str) -> HeloAnswer {
        answer(name)
    }
}

impl OnAuth for Verdicts {
    fn on_auth(&mut self, credentials: &Credentials) -> AuthAnswer {
        let password = credentials.password().unwrap_or_default();
        match refusal(password) {
            Some(refusal) if password == "disconnect" => AuthAnswer::disconnect(refusal),
            Some(refusal) => AuthAnswer::refuse(refusal),
            None if password == "accept" => AuthAnswer::accept(&credentials.identity),
            None => AuthAnswer::next(),
        }
    }
}

impl OnMail for Verdicts {
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer {
        answer(sender.address().map_or("", Address::local_part))
    }
}

impl OnRcpt for Verdicts {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let name = recipient.local_part();
        match refusal(name) {
            Some(refusal) if name == "disconnect" => RcptAnswer::disconnect(refusal),
            Some(refusal) if name.starts_with("defer") => RcptAnswer::defer(refusal),
            Some(refusal) => RcptAnswer::refuse(refusal),
            None if name == "accept" => RcptAnswer::accept(),
            None => RcptAnswer::next(),
        }
    }
}

impl OnMessage for Verdicts {
    fn on_message(&mut self) -> MessageAnswer {
        let name = message::header_text("x-verdict").unwrap_or_default();
        match (name.as_str(), refusal(&name)) {
            ("disconnect", Some(refusal)) => MessageAnswer::disconnect(refusal),
            (_, Some(refusal)) => MessageAnswer::refuse(refusal),
            ("accept", None) => MessageAnswer::accept(),
            ("discard", None) => MessageAnswer::discard("asked to discard"),
            ("quarantine", None) => MessageAnswer::quarantine("asked to quarantine"),
            (_, None) => MessageAnswer::next(),
        }
    }
}

postgate_plugin::export!(Verdicts: OnHelo, OnAuth, OnMail, OnRcpt, OnMessage);

fn answer<E>(name: &str) -> Answer<Verdict, E> {
    match refusal(name) {
        Some(refusal) if name == "disconnect" => Answer::disconnect(refusal),
        Some(refusal) => Answer::refuse(refusal),
        None if name == "accept" => Answer::from(Verdict::Accept),
        None => Answer::next(),
    }
}

fn refusal(name: &str) -> Option<Refusal> {
    let code = name.strip_prefix("refuse");
    let refusal = match code.or_else(|| name.strip_prefix("defer")) {
        Some(code) => refusal_with(code.parse().ok()?)?,
        None if name == "disconnect" => Refusal::new(554, "5.7.1", "asked to disconnect"),
        None => return None,
    };
    Some(refusal.because(format!("the client said {name}")))
}

fn refusal_with(code: u16) -> Option<Refusal> {
    match code {
        400..=499 => Refusal::checked(code, "4.7.1", "asked to refuse for now").ok(),
        _ => Refusal::checked(code, "5.7.1", "asked to refuse").ok(),
    }
}
