//! Why a plugin gave no answer.

use std::time::Duration;

use postgate_contract::Event;

/// A guest called the host more often than it may; returned by host functions.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("exceeded limits.{key} of {limit}")]
pub(crate) struct LimitExceeded {
    /// The key of the limit in the sidecar.
    pub(crate) key: &'static str,
    /// The limit.
    pub(crate) limit: u32,
}

/// Why a plugin gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The answer breaks a rule of the contract.
    #[error("answered against the contract: {0}")]
    Answer(String),
    /// No instance that sessions share was free in time.
    #[error("exceeded shared-instances: none was free within {0:?}")]
    Busy(Duration),
    /// It used up its time on a processor.
    #[error("exceeded limits.{key} of {limit:?}")]
    Cpu {
        /// The key of the limit in the sidecar.
        key: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// `on-init` said that it cannot work.
    #[error("on-init failed: {0}")]
    Init(String),
    /// It could not be instantiated.
    #[error("cannot be instantiated: {0}")]
    Instantiate(String),
    /// It called the host more often than it may, or with more.
    #[error("exceeded limits.{key} of {limit}")]
    Limit {
        /// The key of the limit in the sidecar.
        key: &'static str,
        /// The limit.
        limit: u32,
    },
    /// It asked for more memory than it may have, and gave up.
    #[error("exceeded limits.memory of {0} octets")]
    Memory(u32),
    /// It does not export the function of the event, although it was to be asked.
    #[error("has no function for {0}")]
    NotExported(Event),
    /// It was not asked, since it has failed too often.
    #[error("taken out by the breaker")]
    Out,
    /// `on-self-test` said that it does not work.
    #[error("on-self-test failed: {0}")]
    SelfTest(String),
    /// It trapped.
    #[error("trapped: {0}")]
    Trap(String),
    /// It used up its time on the clock.
    #[error("exceeded limits.{key} of {limit:?}")]
    Wall {
        /// The key of the limit in the sidecar.
        key: &'static str,
        /// The limit.
        limit: Duration,
    },
}

impl PluginError {
    /// What happened, in a word: the key of the limit that was exceeded, without its table, or else
    /// `answer`, `breaker`, `init`, `instantiate`, `self-test` or `trap`.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Busy(_) => "shared-instances",
            Self::Cpu { key, .. } | Self::Limit { key, .. } | Self::Wall { key, .. } => key,
            Self::Init(_) => "init",
            Self::Instantiate(_) => "instantiate",
            Self::Memory(_) => "memory",
            Self::NotExported(_) => "answer",
            Self::Out => "breaker",
            Self::SelfTest(_) => "self-test",
            Self::Trap(_) => "trap",
        }
    }
}

/// What a plugin has written, or made the host write, as it may stand in a line of the log.
pub(crate) fn shown(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_SHOWN)];
    text.replace(char::is_control, " ")
}

/// How much of what a plugin says about its failure is kept, in octets.
const MAX_SHOWN: usize = 2_048;
