//! Extends the protocol: a verb, an EHLO keyword and parameters of its own, and answers to what
//! clients may ask.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Verbs {
    unknown: u32,
}

impl OnConnect for Verbs {
    /// NOOP is the gateway's own, and cannot be taken over.
    fn on_connect(&mut self) -> ConnectAnswer {
        ConnectAnswer::next()
            .add_ehlo_keyword("XFOO 1 2")
            .add_verb("XFOO")
            .add_verb("NOOP")
            .add_mail_parameter("XMAIL")
            .add_rcpt_parameter("XRCPT")
    }
}

impl OnMail for Verbs {
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer {
        log::info(format!("mail {sender} {:?}", session::mail_parameters()));
        MailAnswer::next()
    }
}

impl OnRcpt for Verbs {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let parameters: Vec<_> = recipient.parameters().collect();
        log::info(format!("rcpt {recipient} {parameters:?}"));
        RcptAnswer::next()
    }
}

impl OnVrfy for Verbs {
    fn on_vrfy(&mut self, user: &str) -> QueryAnswer {
        match user {
            "known" => QueryAnswer::reply(250, "2.1.5", ["Known <known@example.org>"]),
            "unknown" => QueryAnswer::reply(550, "5.1.1", ["no such user here"]),
            _ => QueryAnswer::next(),
        }
    }
}

impl OnExpn for Verbs {
    fn on_expn(&mut self, name: &str) -> QueryAnswer {
        match name {
            "staff" => {
                let members = ["Alice <alice@example.org>", "Bob <bob@example.org>"];
                QueryAnswer::reply(250, "2.1.5", members)
            }
            _ => QueryAnswer::next(),
        }
    }
}

impl OnHelp for Verbs {
    fn on_help(&mut self, topic: &str) -> QueryAnswer {
        let topic = format!("you asked about: {topic}");
        QueryAnswer::reply(214, "2.0.0", ["XFOO says foo", &topic])
    }
}

impl OnCommand for Verbs {
    /// The third verb that nobody knows ends the session.
    fn on_command(&mut self, command: &Command) -> QueryAnswer {
        let argument = command.argument.as_str();
        match (command.verb.to_ascii_uppercase().as_str(), argument) {
            ("XFOO", _) => QueryAnswer::reply(250, "2.0.0", [format!("foo {argument}")]),
            ("NOOP", _) => QueryAnswer::reply(250, "2.0.0", ["hijacked"]),
            ("VRFY", "forbidden") => QueryAnswer::reply(530, "5.7.0", ["not to be asked for"]),
            _ if command.known => QueryAnswer::next(),
            _ => self.count(),
        }
    }
}

postgate_plugin::export!(
    Verbs: OnConnect, OnMail, OnRcpt, OnVrfy, OnExpn, OnHelp, OnCommand
);

impl Verbs {
    fn count(&mut self) -> QueryAnswer {
        self.unknown += 1;
        match self.unknown {
            0..=2 => QueryAnswer::next(),
            _ => QueryAnswer::disconnect(Refusal::new(421, "4.7.0", "too many unknown verbs")),
        }
    }
}
