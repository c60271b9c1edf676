//! Handles every event, and logs each with what it can see.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct Recorder;

impl OnSelfTest for Recorder {
    fn on_self_test(&mut self) -> Result<(), String> {
        log::info("self-test");
        Ok(())
    }
}

impl OnConnect for Recorder {
    fn on_connect(&mut self) -> ConnectAnswer {
        let client = session::remote_ip().map_or_else(|| "-".into(), |ip| ip.to_string());
        log::info(format!("connect {client} listener={}", session::listener()));
        ConnectAnswer::next()
    }
}

impl OnHelo for Recorder {
    fn on_helo(&mut self, name: &str) -> HeloAnswer {
        log::info(format!("helo {name} kind={:?}", session::helo()));
        HeloAnswer::next()
    }
}

impl OnAuth for Recorder {
    fn on_auth(&mut self, credentials: &Credentials) -> AuthAnswer {
        log::info(format!(
            "auth {} identity={}",
            credentials.mechanism, credentials.identity
        ));
        AuthAnswer::next()
    }
}

impl OnMail for Recorder {
    fn on_mail(&mut self, sender: &Sender) -> MailAnswer {
        log::info(format!(
            "mail {sender} parameters={:?}",
            session::mail_parameters()
        ));
        MailAnswer::next()
    }
}

impl OnRcpt for Recorder {
    fn on_rcpt(&mut self, recipient: &Recipient) -> RcptAnswer {
        let parameters: Vec<_> = recipient.parameters().collect();
        log::info(format!("rcpt {recipient} parameters={parameters:?}"));
        RcptAnswer::next()
    }
}

impl OnData for Recorder {
    fn on_data(&mut self) -> DataAnswer {
        log::info(format!("data recipients={}", session::recipients().len()));
        DataAnswer::next()
    }
}

impl OnHeaders for Recorder {
    fn on_headers(&mut self) -> HeadersAnswer {
        let subject = message::header_text("subject").unwrap_or_default();
        log::info(format!(
            "headers count={} subject={subject}",
            message::header_count()
        ));
        HeadersAnswer::next()
    }
}

impl OnMessage for Recorder {
    fn on_message(&mut self) -> MessageAnswer {
        let (body, parts) = (message::body_size(), message::part_count());
        log::info(format!(
            "message size={} body={body} parts={parts}",
            message::size()
        ));
        MessageAnswer::next()
    }
}

impl OnDisconnect for Recorder {
    fn on_disconnect(&mut self, summary: &Summary) {
        let Summary {
            reason,
            commands,
            errors,
            messages,
        } = summary;
        log::info(format!(
            "disconnect {reason:?} commands={commands} errors={errors} messages={messages}"
        ));
    }
}

postgate_plugin::export!(
    Recorder: OnSelfTest, OnConnect, OnHelo, OnAuth, OnMail, OnRcpt, OnData, OnHeaders, OnMessage,
        OnDisconnect
);
