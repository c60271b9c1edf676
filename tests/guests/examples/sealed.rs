//! Logs at each event how the session is encrypted. Lets a client begin TLS unless its HELO name is
//! `refuse`.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Sealed;

impl OnConnect for Sealed {
    fn on_connect(&mut self) -> ConnectAnswer {
        tell("connect");
        ConnectAnswer::next()
    }
}

impl OnHelo for Sealed {
    fn on_helo(&mut self, _: &str) -> HeloAnswer {
        tell("helo");
        HeloAnswer::next()
    }
}

impl OnStarttls for Sealed {
    fn on_starttls(&mut self) -> StarttlsAnswer {
        tell("starttls");
        match session::helo_name() == "refuse" {
            true => StarttlsAnswer::refuse(Refusal::new(454, "4.7.0", "not for you")),
            false => StarttlsAnswer::next(),
        }
    }
}

impl OnMail for Sealed {
    fn on_mail(&mut self, _: &Sender) -> MailAnswer {
        tell("mail");
        MailAnswer::next()
    }
}

impl OnMessage for Sealed {
    fn on_message(&mut self) -> MessageAnswer {
        tell("message");
        MessageAnswer::next()
    }
}

fn tell(event: &str) {
    let facts = match session::tls() {
        Some(facts) => format!("{facts:?}"),
        None => "nothing".to_owned(),
    };
    log::info(format!(
        "{event} {} {} {facts}",
        session::encrypted(),
        session::protocol()
    ));
}

postgate_plugin::export!(Sealed: OnConnect, OnHelo, OnStarttls, OnMail, OnMessage);
