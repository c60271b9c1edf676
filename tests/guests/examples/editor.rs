//! Makes every edit that there is; where it could hurt, only when the client asks for it.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Editor;

impl OnConnect for Editor {
    fn on_connect(&mut self) -> ConnectAnswer {
        ConnectAnswer::next()
            .add_ehlo_keyword("XEDITED CONNECT")
            .set_banner("edited banner")
            .set_greeting("edited greeting")
            .tag("connect", "edited")
    }
}

impl OnHelo for Editor {
    /// The name `greet.example` gets a greeting of its own.
    fn on_helo(&mut self, name: &str) -> HeloAnswer {
        let answer = HeloAnswer::next().add_ehlo_keyword("XHELO");
        match name {
            "greet.example" => answer.set_greeting("hello to greet.example"),
            _ => answer,
        }
    }
}

impl OnAuth for Editor {
    /// The password is `secret`.
    fn on_auth(&mut self, credentials: &Credentials) -> AuthAnswer {
        match credentials.password() {
            Some("secret") => AuthAnswer::accept(&credentials.identity).tag("auth", "accepted"),
            _ => AuthAnswer::next().delay(1),
        }
    }
}

impl OnMail for Editor {
    /// `rewrite@…` becomes `rewritten@…`, and `null@…` the null reverse-path.
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer {
        let Some(address) = sender.address() else {
            return MailAnswer::next();
        };
        match address.local_part() {
            "rewrite" => {
                MailAnswer::next().rewrite_sender(format!("rewritten@{}", address.domain()))
            }
            "null" => MailAnswer::next().rewrite_sender(""),
            _ => MailAnswer::next().tag("sender", address.as_str()),
        }
    }
}

impl OnRcpt for Editor {
    /// `move@…` becomes `moved@…`.
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        match recipient.local_part() {
            "move" => RcptAnswer::next().rewrite_recipient(format!("moved@{}", recipient.domain())),
            _ => RcptAnswer::next(),
        }
    }
}

impl OnData for Editor {
    fn on_data(&mut self) -> DataAnswer {
        DataAnswer::next()
            .prepend_header("X-At-Data", "yes")
            .delay(1)
    }
}

impl OnHeaders for Editor {
    fn on_headers(&mut self) -> HeadersAnswer {
        HeadersAnswer::next()
            .prepend_header("X-First", "prepended")
            .append_header("X-Last", "appended")
            .insert_header(1, "X-Second", "inserted")
            .replace_header("Subject", 0, "replaced")
            .remove_header("X-Remove", 1)
            .remove_headers("X-Remove-All")
            .tag("headers", "edited")
    }
}

impl OnMessage for Editor {
    /// The header fields `X-Replace-Body`, `X-Add-Recipient`, `X-Remove-Recipient`,
    /// `X-Refuse-Recipient`, `X-Rewrite-Sender`, `X-Set-Id` and `X-Set` say what to do.
    fn on_message(&mut self) -> MessageAnswer {
        let mut answer = MessageAnswer::next().prepend_header("X-At-Message", "yes");
        if let Some(line) = message::header_text("x-replace-body") {
            // The gateway makes lines of it.
            answer = answer.replace_body(line.replace('|', "\n"));
        }
        if let Some(mailbox) = message::header_text("x-add-recipient") {
            answer = answer.add_recipient(mailbox);
        }
        if let Some(mailbox) = message::header_text("x-remove-recipient") {
            answer = answer.remove_recipient(mailbox);
        }
        if let Some(mailbox) = message::header_text("x-refuse-recipient") {
            let refusal = Refusal::new(550, "5.7.1", "not this message");
            answer = answer.refuse_recipient(mailbox, refusal);
        }
        if let Some(id) = message::header_text("x-set-id") {
            answer = answer.set_id(id);
        }
        if let Some(value) = message::header_text("x-set") {
            answer = answer.set_header("X-SET", format!("was {value}"));
        }
        if let Some(mailbox) = message::header_text("x-rewrite-sender") {
            answer = answer.rewrite_sender(mailbox);
        }
        answer
    }
}

postgate_plugin::export!(
    Editor: OnConnect, OnHelo, OnAuth, OnMail, OnRcpt, OnData, OnHeaders, OnMessage
);
