//! The errors of calls of a plugin.

use std::io;
use std::time::Duration;

use postgate_contract::Event;
use postgate_spool::is_full;
use rustix::io::Errno;
use tokio::task::JoinError;
use wasmtime::PoolConcurrencyLimitError;

use crate::convert::InvalidAnswer;
use crate::printable::Printable;

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

/// The host failed while it asked a plugin. The plugin is not at fault, so neither its breaker nor its
/// `on-failure` applies: the client is told to try later.
#[derive(Debug, thiserror::Error)]
pub enum HostFault {
    /// No shared instance was free in time.
    #[error("exceeded shared-instances: none was free within {0:?}")]
    Busy(Duration),
    /// Plugins have used more processor time for the client than they may in a minute.
    #[error("exceeded limits.plugin-cpu-per-client of {0:?}")]
    ClientCpu(Duration),
    /// No DNS query could be sent for lack of a resource of the machine.
    #[error("no DNS query could be sent")]
    Dns,
    /// A listed file cannot be read for lack of a resource of the machine.
    #[error("a listed file cannot be read")]
    File,
    /// All instances together have as much memory as they may, in octets.
    #[error("exceeded plugins.memory of {0} octets for all instances together")]
    Memory(u64),
    /// The message cannot be read from the spool, or decoded content cannot be stored.
    #[error("the message cannot be read or decoded: {0}")]
    Message(#[source] io::Error),
    /// The plugins of a session took longer together than the operator allows, at one event.
    #[error("exceeded limits.plugins-timeout of {0:?}")]
    Patience(Duration),
    /// The system has no random octets.
    #[error("the system has no random octets")]
    Random,
    /// The system has no memory for an instance, or the pool has no room for it.
    #[error("no room for the instance: {}", root_cause(.0))]
    Room(#[source] wasmtime::Error),
    /// A blocking task of the host panicked or was cancelled.
    #[error("a blocking task of the host failed: {0}")]
    Task(#[source] JoinError),
}

impl HostFault {
    /// Returns the class of the fault, for logs and metrics: `dns`, `file`, `memory`, `message`,
    /// `plugin-cpu-per-client`, `plugins-memory`, `plugins-timeout`, `random`, `shared-instances`, `space` or `task`.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Busy(_) => "shared-instances",
            Self::ClientCpu(_) => "plugin-cpu-per-client",
            Self::Dns => "dns",
            Self::File => "file",
            Self::Memory(_) => "plugins-memory",
            Self::Message(_) if self.is_lack_of_space() => "space",
            Self::Message(_) => "message",
            Self::Patience(_) => "plugins-timeout",
            Self::Random => "random",
            Self::Room(_) => "memory",
            Self::Task(_) => "task",
        }
    }

    /// True if a disk is full, or a file may not grow.
    pub fn is_lack_of_space(&self) -> bool {
        matches!(self, Self::Message(error) if is_full(error))
    }
}

/// True if an error says that the machine lacks a resource, or that its disk fails.
pub(crate) fn is_lack(error: &io::Error) -> bool {
    let lacks = [
        Errno::IO,
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::NOBUFS,
    ];
    Errno::from_io_error(error).is_some_and(|errno| lacks.contains(&errno))
}

/// True if an error of the engine comes from the system or from the pool, and not from the guest.
pub(crate) fn is_of_host(error: &wasmtime::Error) -> bool {
    error.is::<PoolConcurrencyLimitError>()
        || error
            .chain()
            .any(|cause| cause.is::<io::Error>() || cause.is::<Errno>())
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
    /// The call exceeded its CPU time.
    #[error("exceeded limits.{key} of {limit:?}")]
    Cpu {
        /// The key of the limit in the sidecar.
        key: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The host failed, and not the plugin.
    #[error(transparent)]
    Host(#[from] HostFault),
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
    /// sidecar, or `answer`, `breaker`, `init`, `instantiate`, `self-test` or `trap`; for a fault of the
    /// host, [`HostFault::cause`].
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Answer(_) | Self::NotExported(_) => "answer",
            Self::BreakerOpen => "breaker",
            Self::Cpu { key, .. } | Self::Limit { key, .. } | Self::Wall { key, .. } => key,
            Self::Host(fault) => fault.cause(),
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

/// Makes text from a plugin fit for a line of the log: bounds its length, and escapes what
/// [`Printable`] escapes.
pub(crate) fn log_text(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    let mut shown = Printable(text).to_string();
    shown.truncate(shown.floor_char_boundary(MAX_TEXT));
    shown
}

/// The greatest length in octets of text from a plugin in an error.
const MAX_TEXT: usize = 2_048;
