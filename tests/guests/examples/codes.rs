//! Answers VRFY and HELP with the code that the client asks for, and RCPT with the ready-made refusal that
//! the local part names.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Codes;

impl OnVrfy for Codes {
    fn on_vrfy(&mut self, user: &str) -> QueryAnswer {
        answer(user)
    }
}

impl OnHelp for Codes {
    fn on_help(&mut self, topic: &str) -> QueryAnswer {
        answer(topic)
    }
}

impl OnRcpt for Codes {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        match recipient.local_part() {
            "mailbox-full" => RcptAnswer::refuse(Refusal::mailbox_full()),
            "mailbox-full-for-now" => RcptAnswer::refuse(Refusal::mailbox_full_for_now()),
            "no-such-mailbox" => RcptAnswer::refuse(Refusal::no_such_mailbox()),
            "relay-denied" => RcptAnswer::refuse(Refusal::relay_denied()),
            _ => RcptAnswer::next(),
        }
    }
}

fn answer(wanted: &str) -> QueryAnswer {
    let Ok(code) = wanted.parse() else {
        return QueryAnswer::next();
    };
    let enhanced = format!("{}.0.0", code / 100);
    QueryAnswer::reply(code, &enhanced, [format!("this is {code}")])
}

postgate_plugin::export!(Codes: OnRcpt, OnVrfy, OnHelp);
