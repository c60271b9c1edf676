//! Handles every event but `auth-keys`, and logs each with what it can see; command lines only where the
//! configuration says `commands = true`.

use postgate_plugin::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    commands: bool,
}

struct Recorder {
    commands: bool,
}

impl Plugin for Recorder {
    type Config = Config;

    fn new(Config { commands }: Config) -> Result<Self, String> {
        Ok(Self { commands })
    }
}

impl OnSelfTest for Recorder {
    fn on_self_test(&mut self) -> Result<(), String> {
        log::info("self-test");
        Ok(())
    }
}

impl OnProxy for Recorder {
    fn on_proxy(&mut self) -> ProxyAnswer {
        log::info(format!("proxy {:?}", session::proxy()));
        ProxyAnswer::next()
    }
}

impl OnConnect for Recorder {
    fn on_connect(&mut self) -> ConnectAnswer {
        let client = session::remote_ip().map_or_else(|| "-".into(), |ip| ip.to_string());
        log::info(format!(
            "connect {client} listener={} line-endings={:?} port={}",
            session::listener(),
            session::line_endings(),
            session::local_port()
        ));
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

impl OnStarttls for Recorder {
    fn on_starttls(&mut self) -> StarttlsAnswer {
        log::info(format!("starttls encrypted={}", session::encrypted()));
        StarttlsAnswer::next()
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
            "headers count={} complete={} subject={subject}",
            message::header_count(),
            message::headers_complete()
        ));
        HeadersAnswer::next()
    }
}

impl OnBodyChunk for Recorder {
    fn on_body_chunk(&mut self, chunk: &BodyChunk) -> BodyChunkAnswer {
        let (offset, length) = (chunk.offset, chunk.data.len());
        log::info(format!("body-chunk offset={offset} length={length}"));
        BodyChunkAnswer::next()
    }
}

impl OnMessage for Recorder {
    fn on_message(&mut self) -> MessageAnswer {
        let (body, parts) = (message::body_size(), message::part_count());
        log::info(format!(
            "message size={} body={body} parts={parts} started={:?} completed={:?}",
            message::size(),
            message::started_at(),
            message::completed_at()
        ));
        MessageAnswer::next()
    }
}

impl OnOutcome for Recorder {
    fn on_outcome(&mut self, outcome: &Outcome) {
        let Outcome { fate, reply, id } = outcome;
        let is_known = *id == message::id() && !id.is_empty();
        log::info(format!(
            "outcome {fate:?} code={} known={is_known}",
            reply.code
        ));
    }
}

impl OnReset for Recorder {
    fn on_reset(&mut self, cause: Cause) {
        log::info(format!("reset {cause:?} sender={:?}", session::sender()));
    }
}

impl OnVrfy for Recorder {
    fn on_vrfy(&mut self, user: &str) -> QueryAnswer {
        log::info(format!("vrfy {user}"));
        QueryAnswer::next()
    }
}

impl OnExpn for Recorder {
    fn on_expn(&mut self, name: &str) -> QueryAnswer {
        log::info(format!("expn {name}"));
        QueryAnswer::next()
    }
}

impl OnHelp for Recorder {
    fn on_help(&mut self, topic: &str) -> QueryAnswer {
        log::info(format!("help {topic}"));
        QueryAnswer::next()
    }
}

impl OnCommand for Recorder {
    fn on_command(&mut self, command: &Command) -> QueryAnswer {
        if self.commands {
            log::info(format!(
                "command {} known={} argument={}",
                command.verb, command.known, command.argument
            ));
        }
        QueryAnswer::next()
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
    Recorder: OnSelfTest, OnProxy, OnConnect, OnHelo, OnStarttls, OnAuth, OnMail, OnRcpt, OnData,
        OnHeaders, OnBodyChunk, OnMessage, OnOutcome, OnReset, OnVrfy, OnExpn, OnHelp, OnCommand,
        OnDisconnect
);
