//! Logs at each event how the session is encrypted, and the state that `RSET` keeps or ends. Lets a client
//! begin TLS unless its HELO name is `refuse`, and authenticate as whoever it says to be.

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

impl OnAuthKeys for Sealed {
    fn on_auth_keys(&mut self, _: &str) -> Option<ScramKeys> {
        tell("auth-keys");
        None
    }
}

impl OnAuth for Sealed {
    fn on_auth(&mut self, credentials: &Credentials) -> AuthAnswer {
        tell("auth");
        AuthAnswer::accept(credentials.identity.clone())
    }
}

impl OnMail for Sealed {
    fn on_mail(&mut self, _: &Sender) -> MailAnswer {
        tell("mail");
        MailAnswer::next()
    }
}

impl OnRcpt for Sealed {
    fn on_rcpt(&mut self, _: &Recipient) -> RcptAnswer {
        tell("rcpt");
        RcptAnswer::next()
    }
}

impl OnData for Sealed {
    fn on_data(&mut self) -> DataAnswer {
        tell("data");
        DataAnswer::next()
    }
}

impl OnHeaders for Sealed {
    fn on_headers(&mut self) -> HeadersAnswer {
        tell("headers");
        HeadersAnswer::next()
    }
}

impl OnBodyChunk for Sealed {
    fn on_body_chunk(&mut self, _: &BodyChunk) -> BodyChunkAnswer {
        tell("body-chunk");
        BodyChunkAnswer::next()
    }
}

impl OnMessage for Sealed {
    fn on_message(&mut self) -> MessageAnswer {
        tell("message");
        MessageAnswer::next()
    }
}

impl OnOutcome for Sealed {
    fn on_outcome(&mut self, _: &Outcome) {
        tell("outcome");
    }
}

impl OnReset for Sealed {
    fn on_reset(&mut self, _: Cause) {
        tell("reset");
    }
}

impl OnVrfy for Sealed {
    fn on_vrfy(&mut self, _: &str) -> QueryAnswer {
        tell("vrfy");
        QueryAnswer::next()
    }
}

impl OnExpn for Sealed {
    fn on_expn(&mut self, _: &str) -> QueryAnswer {
        tell("expn");
        QueryAnswer::next()
    }
}

impl OnHelp for Sealed {
    fn on_help(&mut self, _: &str) -> QueryAnswer {
        tell("help");
        QueryAnswer::next()
    }
}

impl OnCommand for Sealed {
    fn on_command(&mut self, _: &Command) -> QueryAnswer {
        tell("command");
        QueryAnswer::next()
    }
}

impl OnDisconnect for Sealed {
    fn on_disconnect(&mut self, _: &Summary) {
        tell("disconnect");
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
    log::info(format!(
        "state {event} transaction={} helo={} as={:?} sender={:?} recipients={}",
        session::transaction_id(),
        session::helo_name(),
        session::authenticated_as(),
        session::sender().map(|sender| sender.to_string()),
        session::recipients().len()
    ));
}

postgate_plugin::export!(
    Sealed: OnConnect, OnHelo, OnStarttls, OnAuthKeys, OnAuth, OnMail, OnRcpt, OnData, OnHeaders,
        OnBodyChunk, OnMessage, OnOutcome, OnReset, OnVrfy, OnExpn, OnHelp, OnCommand, OnDisconnect
);
