//! The errors of calls of a plugin.

use std::time::Duration;

use postgate_contract::Event;

use crate::convert::InvalidAnswer;

/// A guest exceeded a limit on its calls of host functions. Host functions return it, and
/// [`Instance::call`](crate::Instance::call) converts it into [`PluginError::Limit`].
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("exceeded limits.{key} of {limit}")]
pub(crate) struct LimitExceeded {
    /// The key of the limit in the sidecar.
    pub(crate) key: &'static str,
    /// The limit.
    pub(crate) limit: u32,
}

/// The reason why a plugin gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The answer violates the contract.
    #[error("invalid answer: {}", log_text(&.0.to_string()))]
    Answer(#[from] InvalidAnswer),
    /// The plugin was not asked, because its breaker is open.
    #[error("not asked, because the breaker is open")]
    BreakerOpen,
    /// No shared instance was free in time.
    #[error("exceeded shared-instances: none was free within {0:?}")]
    Busy(Duration),
    /// The call exceeded its CPU time.
    #[error("exceeded limits.{key} of {limit:?}")]
    Cpu {
        /// The key of the limit in the sidecar.
        key: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// `on-init` returned this error.
    #[error("on-init failed: {0}")]
    Init(String),
    /// The component could not be instantiated.
    #[error("cannot be instantiated: {}", root_cause(.0))]
    Instantiate(#[source] wasmtime::Error),
    /// The call exceeded a limit that is a number, such as the number of edits or of octets that are
    /// copied.
    #[error("exceeded limits.{key} of {limit}")]
    Limit {
        /// The key of the limit in the sidecar.
        key: &'static str,
        /// The limit.
        limit: u32,
    },
    /// The guest failed after it was denied memory beyond this limit, in octets.
    #[error("exceeded limits.memory of {0} octets")]
    Memory(u32),
    /// The component does not export the function of this event, although it should have been called.
    #[error("has no function for {0}")]
    NotExported(Event),
    /// `on-self-test` returned this error.
    #[error("on-self-test failed: {0}")]
    SelfTest(String),
    /// The guest trapped, or a host function or the engine ended the call.
    #[error("trapped: {}", root_cause(.0))]
    Trap(#[source] wasmtime::Error),
    /// The call exceeded its wall-clock time.
    #[error("exceeded limits.{key} of {limit:?}")]
    Wall {
        /// The key of the limit in the sidecar.
        key: &'static str,
        /// The limit.
        limit: Duration,
    },
}

impl PluginError {
    /// Returns the class of the error, for logs and metrics: the key of the exceeded limit in the
    /// sidecar, or `answer`, `breaker`, `init`, `instantiate`, `self-test` or `trap`.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Answer(_) | Self::NotExported(_) => "answer",
            Self::BreakerOpen => "breaker",
            Self::Busy(_) => "shared-instances",
            Self::Cpu { key, .. } | Self::Limit { key, .. } | Self::Wall { key, .. } => key,
            Self::Init(_) => "init",
            Self::Instantiate(_) => "instantiate",
            Self::Memory(_) => "memory",
            Self::SelfTest(_) => "self-test",
            Self::Trap(_) => "trap",
        }
    }
}

/// Describes an error of the engine by its root cause, without the backtrace that the engine adds.
fn root_cause(error: &wasmtime::Error) -> String {
    log_text(&error.root_cause().to_string())
}

/// Makes text from a plugin fit for a line of the log: bounds its length and replaces control
/// characters with spaces.
pub(crate) fn log_text(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    text.replace(char::is_control, " ")
}

/// The greatest length in octets of text from a plugin in an error.
const MAX_TEXT: usize = 2_048;
