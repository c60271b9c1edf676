//! The events that a plugin can handle, in one table from which the other definitions are
//! generated.

use std::fmt;

/// Calls a macro with the table of all events, in the order of a session.
///
/// A row has five columns: the variant of [`Event`]; the name, which is that of the interface in
/// the contract without `on-`; the module that the bindings generate for the interface; the type of
/// the answer ([`AnswerKind`]); and the time limits of the event ([`TimeLimits`]). [`Event`], the
/// dispatch of the runtime and tests of the SDK, the contract and the documentation use this table.
#[macro_export]
macro_rules! for_each_event {
    ($with:ident) => {
        $with! {
            Proxy      "proxy"      on_proxy      Verdict   Event,
            Connect    "connect"    on_connect    Verdict   Event,
            Helo       "helo"       on_helo       Verdict   Event,
            StartTls   "starttls"   on_starttls   Verdict   Event,
            AuthKeys   "auth-keys"  on_auth_keys  Keys      Event,
            Auth       "auth"       on_auth       Identity  Event,
            Mail       "mail"       on_mail       Verdict   Event,
            Rcpt       "rcpt"       on_rcpt       Recipient Event,
            Data       "data"       on_data       Verdict   Event,
            Headers    "headers"    on_headers    Verdict   Event,
            BodyChunk  "body-chunk" on_body_chunk Verdict   Event,
            Message    "message"    on_message    Message   Message,
            Outcome    "outcome"    on_outcome    Notice    Event,
            Reset      "reset"      on_reset      Notice    Event,
            Vrfy       "vrfy"       on_vrfy       Reply     Event,
            Expn       "expn"       on_expn       Reply     Event,
            Help       "help"       on_help       Reply     Event,
            Command    "command"    on_command    Reply     Event,
            Disconnect "disconnect" on_disconnect Notice    Event,
        }
    };
}

macro_rules! define_events {
    ($($variant:ident $name:literal $interface:ident $answer:ident $limits:ident,)+) => {
        /// An event that a plugin can handle.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the contract documents each event")]
        pub enum Event {
            $($variant,)+
        }

        impl Event {
            /// All events, in the order of a session.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The names of all events, in the order of a session.
            pub const NAMES: [&'static str; Self::ALL.len()] = [$($name),+];

            /// The name in a sidecar, in logs and in metrics: that of the interface in the contract
            /// without `on-`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What a plugin can answer.
            pub const fn answer(self) -> AnswerKind {
                match self {
                    $(Self::$variant => AnswerKind::$answer,)+
                }
            }

            /// The time limits for handling the event.
            pub const fn time_limits(self) -> TimeLimits {
                match self {
                    $(Self::$variant => TimeLimits::$limits,)+
                }
            }
        }
    };
}

for_each_event!(define_events);

impl Event {
    /// Returns the event of this name, or `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// True for events that only notify a plugin, which cannot refuse them.
    pub const fn is_notice(self) -> bool {
        matches!(self.answer(), AnswerKind::Notice)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The type of the answer to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// `next`, `refuse` or `disconnect`, or the identity of the client.
    Identity,
    /// The SCRAM keys of a user, or that the plugin does not know the user.
    Keys,
    /// As [`Self::Verdict`]; also `discard` and `quarantine`.
    Message,
    /// No answer: the event cannot be refused.
    Notice,
    /// As [`Self::Verdict`]; also `defer`.
    Recipient,
    /// `next` or `disconnect`, or a reply to the command.
    Reply,
    /// `next`, `accept`, `refuse` or `disconnect`.
    Verdict,
}

/// A pair of time limits in [`PluginLimits`](crate::PluginLimits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimits {
    /// `cpu` and `wall`.
    Event,
    /// `message-cpu` and `message-wall`.
    Message,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_by_their_names() {
        for event in Event::ALL {
            assert_eq!(Event::named(event.name()), Some(event));
        }
        assert_eq!(Event::named("on-rcpt"), None);
    }

    /// The names of the event interfaces that a world exports, without `on-`.
    fn exports(world: &str) -> Vec<&'static str> {
        let (_, text) = crate::WIT[3];
        let (_, world) = text.split_once(&format!("world {world} {{")).unwrap();
        let (world, _) = world.split_once("\n}").unwrap();
        let lines = world.lines().map(str::trim);
        lines
            .filter_map(|line| line.strip_prefix("export on-")?.strip_suffix(';'))
            .collect()
    }

    #[test]
    fn the_contract_exports_the_events_and_the_functions_called_at_load_time() {
        let mut exported = exports("all-events");
        let mut named = [&["init", "self-test"], &Event::NAMES[..]].concat();
        exported.sort_unstable();
        named.sort_unstable();
        assert_eq!(exported, named);
    }
}
