//! Glue code between the exported functions and the methods of the plugin.

use std::cell::RefCell;
use std::thread::LocalKey;

use crate::bindings::{
    auth, auth_keys, body_chunk, command, connect, data, disconnect, expn, headers, helo, help,
    imports, init, mail, message, outcome, proxy, rcpt, reset, self_test, starttls, vrfy,
};
use crate::{
    BodyChunk, Cause, Command, OnAuth, OnAuthKeys, OnBodyChunk, OnCommand, OnConnect, OnData,
    OnDisconnect, OnExpn, OnHeaders, OnHelo, OnHelp, OnMail, OnMessage, OnOutcome, OnProxy, OnRcpt,
    OnReset, OnSelfTest, OnStarttls, OnVrfy, Outcome, Plugin, Recipient, ScramKeys, Sender,
    Summary, config, log,
};
use imports::postgate::plugin::types::Pair;

/// Holds the only plugin of this component instance.
pub trait Instance: Plugin {
    /// The plugin; `None` before `on-init`.
    fn slot() -> &'static LocalKey<RefCell<Option<Self>>>;
}

/// Calls the plugin.
fn with<P: Instance, R>(call: impl FnOnce(&mut P) -> R) -> R {
    P::slot().with_borrow_mut(|slot| match slot {
        Some(plugin) => call(plugin),
        None => panic!("the host called an event before on-init"),
    })
}

impl<P: Instance> init::exports::postgate::plugin::on_init::Guest for P {
    fn on_init() -> Result<(), String> {
        // A panic ends in a trap, which has no text.
        std::panic::set_hook(Box::new(|panic| log::error(panic.to_string())));
        let plugin = P::new(config::parse()?)?;
        P::slot().set(Some(plugin));
        Ok(())
    }
}

impl<P: Instance + OnSelfTest> self_test::exports::postgate::plugin::on_self_test::Guest for P {
    fn on_self_test() -> Result<(), String> {
        with(|plugin: &mut P| plugin.on_self_test())
    }
}

/// Implements an event that is answered: its interface, its trait, and its arguments as they arrive
/// and as the plugin gets them.
macro_rules! answered {
    ($event:ident: $interface:ident, $trait:ident, $method:ident, $answer:ident
        ($($name:ident: $raw:ty => $argument:expr),*)) => {
        impl<P: Instance + $trait> $event::exports::postgate::plugin::$interface::Guest for P {
            fn $method(
                $($name: $raw),*
            ) -> $event::exports::postgate::plugin::$interface::$answer {
                let answer = with(|plugin: &mut P| $trait::$method(plugin, $($argument),*));
                let (verdict, edits) = answer.into_parts();
                $event::exports::postgate::plugin::$interface::$answer { verdict, edits }
            }
        }
    };
}

answered!(proxy: on_proxy, OnProxy, on_proxy, ProxyAnswer());
answered!(connect: on_connect, OnConnect, on_connect, ConnectAnswer());
answered!(helo: on_helo, OnHelo, on_helo, HeloAnswer(name: String => &name));
answered!(starttls: on_starttls, OnStarttls, on_starttls, StarttlsAnswer());
answered!(auth: on_auth, OnAuth, on_auth, AuthAnswer
    (credentials: auth::exports::postgate::plugin::on_auth::Credentials => &credentials.into()));
answered!(mail: on_mail, OnMail, on_mail, MailAnswer(sender: String => &Sender::new(sender)));
answered!(data: on_data, OnData, on_data, DataAnswer());
answered!(headers: on_headers, OnHeaders, on_headers, HeadersAnswer());
answered!(body_chunk: on_body_chunk, OnBodyChunk, on_body_chunk, BodyChunkAnswer
    (chunk: BodyChunk => &chunk));
answered!(message: on_message, OnMessage, on_message, MessageAnswer());
answered!(vrfy: on_vrfy, OnVrfy, on_vrfy, VrfyAnswer(user: String => &user));
answered!(expn: on_expn, OnExpn, on_expn, ExpnAnswer(name: String => &name));
answered!(help: on_help, OnHelp, on_help, HelpAnswer(topic: String => &topic));
answered!(command: on_command, OnCommand, on_command, CommandAnswer(command: Command => &command));

impl<P: Instance + OnRcpt> rcpt::exports::postgate::plugin::on_rcpt::Guest for P {
    fn on_rcpt(
        recipient: String,
        parameters: Vec<Pair>,
    ) -> rcpt::exports::postgate::plugin::on_rcpt::RcptAnswer {
        let recipient = Recipient::with_parameters(recipient, parameters);
        let (verdict, edits) = with(|plugin: &mut P| plugin.on_rcpt(&recipient)).into_parts();
        rcpt::exports::postgate::plugin::on_rcpt::RcptAnswer { verdict, edits }
    }
}

impl<P: Instance + OnAuthKeys> auth_keys::exports::postgate::plugin::on_auth_keys::Guest for P {
    fn on_auth_keys(identity: String) -> Option<ScramKeys> {
        with(|plugin: &mut P| plugin.on_auth_keys(&identity))
    }
}

impl<P: Instance + OnOutcome> outcome::exports::postgate::plugin::on_outcome::Guest for P {
    fn on_outcome(outcome: Outcome) {
        with(|plugin: &mut P| plugin.on_outcome(&outcome));
    }
}

impl<P: Instance + OnReset> reset::exports::postgate::plugin::on_reset::Guest for P {
    fn on_reset(cause: Cause) {
        with(|plugin: &mut P| plugin.on_reset(cause));
    }
}

impl<P: Instance + OnDisconnect> disconnect::exports::postgate::plugin::on_disconnect::Guest for P {
    fn on_disconnect(summary: Summary) {
        with(|plugin: &mut P| plugin.on_disconnect(&summary));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Level};
    use crate::{HeadersAnswer, RcptAnswer, RcptVerdict, Reason, Refusal};
    use disconnect::exports::postgate::plugin::on_disconnect::Guest as Disconnect;
    use init::exports::postgate::plugin::on_init::Guest as _;
    use rcpt::exports::postgate::plugin::on_rcpt::Guest as Rcpt;
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Limit {
        limit: u32,
    }

    struct Counter {
        limit: u32,
        recipients: u32,
    }

    impl Plugin for Counter {
        type Config = Limit;

        fn new(config: Limit) -> Result<Self, String> {
            match config.limit {
                0 => Err("limit: nobody could receive anything".into()),
                limit => Ok(Self {
                    limit,
                    recipients: 0,
                }),
            }
        }
    }

    impl OnRcpt for Counter {
        fn on_rcpt(&mut self, _recipient: &Recipient) -> RcptAnswer {
            self.recipients += 1;
            match self.recipients > self.limit {
                true => RcptAnswer::refuse(Refusal::new(452, "4.5.3", "too many")),
                false => RcptAnswer::next().tag("count", self.recipients.to_string()),
            }
        }
    }

    impl OnHeaders for Counter {
        fn on_headers(&mut self) -> HeadersAnswer {
            HeadersAnswer::next()
        }
    }

    impl OnDisconnect for Counter {
        fn on_disconnect(&mut self, summary: &Summary) {
            log::info(format!(
                "{} recipients, {:?}",
                self.recipients, summary.reason
            ));
        }
    }

    crate::export!(Counter: OnRcpt, OnHeaders, OnDisconnect);

    #[test]
    fn a_plugin_lives_as_long_as_the_session() {
        testing::Session::new().install();
        testing::configure(r#"{"limit": 1}"#);
        assert_eq!(Counter::on_init(), Ok(()));
        let first = <Counter as Rcpt>::on_rcpt("a@b".into(), Vec::new());
        assert_eq!((first.verdict, first.edits.len()), (RcptVerdict::Next, 1));
        let second = <Counter as Rcpt>::on_rcpt("c@d".into(), Vec::new());
        assert!(matches!(second.verdict, RcptVerdict::Refuse(_)));
        <Counter as Disconnect>::on_disconnect(Summary {
            reason: Reason::Quit,
            commands: 5,
            errors: 1,
            messages: 0,
        });
        assert_eq!(
            testing::logs(),
            [(Level::Info, "2 recipients, Reason::Quit".into())]
        );
    }

    #[test]
    fn a_plugin_that_does_not_start_says_why() {
        let table = [
            (r#"{"limit": 0}"#, "limit: nobody could receive anything"),
            (
                r#"{"limit": "x"}"#,
                "limit: invalid type: string \"x\", expected u32",
            ),
            (r#"{}"#, "missing field `limit`"),
        ];
        for (json, expected) in table {
            testing::configure(json);
            assert_eq!(Counter::on_init(), Err(expected.into()));
        }
    }
}
