//! One answer of the configuration.

use std::str::FromStr;

use postgate_plugin::bindings::imports::postgate::plugin::types;
use postgate_plugin::{Refusal, Reply, ScramKeys};
use serde::Deserialize;

/// An answer to a question.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The start of the question: the event, and optionally its argument.
    pub(super) question: String,
    /// What kind of answer it is.
    pub(super) word: Word,
    /// The code of the reply.
    #[serde(default)]
    code: u16,
    /// The class, the subject and the detail of the enhanced status code.
    #[serde(default)]
    enhanced: Vec<u16>,
    /// The text of the reply.
    #[serde(default)]
    lines: Vec<String>,
    /// The name of the edit.
    #[serde(default)]
    pub(super) name: String,
    /// The value of the edit, or the reason of a discard or a quarantine.
    #[serde(default)]
    pub(super) value: String,
    /// The number of iterations of SCRAM.
    #[serde(default)]
    iterations: u32,
    /// The salt, the stored key and the server key of SCRAM.
    #[serde(default)]
    keys: Vec<Vec<u8>>,
}

/// The kinds of answers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    /// A reply that does not refuse.
    Accept,
    /// The credentials are valid.
    Authenticated,
    /// A refusal of a recipient that waits for the end of the data.
    Defer,
    /// The message is dropped.
    Discard,
    /// A refusal that closes the connection.
    Disconnect,
    /// A change.
    Edit,
    /// Keys of SCRAM.
    Keys,
    /// No objection.
    Proceed,
    /// The message is put aside.
    Quarantine,
    /// A refusal.
    Refuse,
}

impl Entry {
    /// The reply, exactly as configured: the host judges it.
    pub(super) fn reply(self) -> Reply {
        let enhanced = match self.enhanced.as_slice() {
            &[class, subject, detail] => Some(types::EnhancedCode {
                class: u8::try_from(class).expect("a class"),
                subject,
                detail,
            }),
            _ => None,
        };
        Reply {
            code: self.code,
            enhanced,
            lines: self.lines,
        }
    }

    /// The reply as a refusal.
    pub(super) fn refusal(self) -> Refusal {
        let reason = None;
        let reply = self.reply();
        Refusal::from(types::Refusal { reply, reason })
    }

    /// The keys of SCRAM.
    pub(super) fn keys(self) -> ScramKeys {
        let keys = <[_; 3]>::try_from(self.keys);
        let [salt, stored_key, server_key] = keys.expect("three of them");
        ScramKeys {
            salt,
            iterations: self.iterations,
            stored_key,
            server_key,
        }
    }

    /// The name and the value of a header field or a tag.
    pub(super) fn field(&self) -> (String, String) {
        let (name, value) = self.value.split_once(' ').unwrap_or((&self.value, ""));
        (name.to_owned(), value.to_owned())
    }

    /// The value of the edit.
    pub(super) fn parsed<T: FromStr>(&self) -> T {
        let parsed = self.value.parse().ok();
        parsed.unwrap_or_else(|| panic!("{self:?} has a wrong value"))
    }

    /// Traps.
    pub(super) fn is_no_answer(&self) -> ! {
        panic!("{self:?} is no answer at this event")
    }
}
