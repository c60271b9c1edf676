//! An instance of a plugin, and the limits on its calls.

use std::fmt;
use std::future::Future;
use std::str::Utf8Error;
use std::string::FromUtf8Error;
use std::sync::Arc;
use std::time::Duration;

use postgate_contract::TimeLimits;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use wasmtime::{Store, Trap};

use crate::context::Context;
use crate::cpu_time::with_cpu_clock;
use crate::error::{HostFault, LimitExceeded, PluginError, is_of_host, log_text};
use crate::exports::Guests;
use crate::host::{HostError, HostState, PluginFacts, View};
use crate::metrics::Counted;
use crate::question::Question;
use crate::verdict::PluginAnswer;

/// An instance of a plugin. It must not be called again after an error, since a trap leaves its memory in an
/// undefined state.
pub struct Instance {
    facts: Arc<PluginFacts>,
    store: Store<HostState>,
    guests: Guests,
    /// The permit to use a shared instance, or `None` if the session has the instance for itself.
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// Counts the instance in the metrics until it is dropped.
    _counted: Counted,
}

impl Instance {
    /// Wraps an instance that was initialised in `store`.
    pub(super) const fn new(
        facts: Arc<PluginFacts>,
        store: Store<HostState>,
        guests: Guests,
        counted: Counted,
    ) -> Self {
        Self {
            facts,
            store,
            guests,
            permit: None,
            _counted: counted,
        }
    }

    /// Asks the plugin a question about an event that it handles.
    ///
    /// # Errors
    ///
    /// Fails if the plugin traps, exceeds a limit, or gives an answer that violates the contract.
    pub async fn call(
        &mut self,
        question: Question<'_>,
        context: &Arc<Context>,
    ) -> Result<PluginAnswer, PluginError> {
        let budget = Budget::of(question.event().time_limits(), &self.facts);
        let view = View::new(Arc::clone(context), &question);
        budget.begin(&mut self.store, view);
        let result = budget
            .run(self.guests.ask(question, &mut self.store, context))
            .await;
        let answer = budget.finish(&mut self.store, &self.facts, result)??;
        let limit = self.facts.limits.edits;
        match answer.edits.len() > limit as usize {
            true => Err(PluginError::Limit {
                key: "edits",
                limit,
            }),
            false => Ok(answer),
        }
    }

    /// Calls `on-self-test`, if the plugin exports it.
    ///
    /// # Errors
    ///
    /// Fails if the plugin traps, exceeds a limit, or returns an error.
    pub async fn self_test(&mut self, context: &Arc<Context>) -> Result<(), PluginError> {
        let Some(guest) = self.guests.self_test.clone() else {
            return Ok(());
        };
        let budget = Budget::of(TimeLimits::Message, &self.facts);
        budget.begin(&mut self.store, View::of(Arc::clone(context)));
        let result = budget.run(guest.call_on_self_test(&mut self.store)).await;
        let tested = budget.finish(&mut self.store, &self.facts, result)?;
        tested.map_err(|text| PluginError::SelfTest(log_text(&text)))
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("plugin", &self.facts.name)
            .finish_non_exhaustive()
    }
}

/// Converts the error of a host function, or of the engine while it copied data between guest and host.
fn host_error(error: wasmtime::Error, facts: &PluginFacts) -> PluginError {
    if let Some(LimitExceeded { key, limit }) = error.downcast_ref() {
        return PluginError::Limit { key, limit: *limit };
    }
    let error = match error.downcast::<HostError>() {
        Ok(error @ HostError::NoSession) => return PluginError::Trap(error.into()),
        Ok(HostError::Dns) => return HostFault::Dns.into(),
        Ok(HostError::File) => return HostFault::File.into(),
        Ok(HostError::Message(error)) => return HostFault::Message(error).into(),
        Ok(HostError::Random) => return HostFault::Random.into(),
        Ok(HostError::Task(error)) => return HostFault::Task(error).into(),
        Err(error) => error,
    };
    if is_of_host(&error) {
        return HostFault::Room(error).into();
    }
    match is_hostcall_fuel(&error) {
        true => PluginError::Limit {
            key: "hostcall-bytes",
            limit: facts.limits.hostcall_bytes,
        },
        false => PluginError::Trap(error),
    }
}

/// True if the call has copied more data than [`Store::set_hostcall_fuel`] allows.
///
/// The type of this error is private to wasmtime, so it is recognised by exclusion. The other errors of
/// copying data are traps and plain messages, and [`Utf8Error`] or [`FromUtf8Error`] for a string that is
/// not UTF-8. The errors of host functions and of the system are handled before.
fn is_hostcall_fuel(error: &wasmtime::Error) -> bool {
    let is_message = error.is::<String>() || error.is::<&'static str>();
    let is_text = error.is::<Utf8Error>() || error.is::<FromUtf8Error>();
    !is_message && !is_text
}

/// The time limits of one call.
pub(super) struct Budget {
    cpu: Duration,
    cpu_key: &'static str,
    wall: Duration,
    wall_key: &'static str,
}

impl Budget {
    /// Returns the limits of the sidecar for an event, or for work that takes as long as a message.
    pub(super) const fn of(limits: TimeLimits, facts: &PluginFacts) -> Self {
        match limits {
            TimeLimits::Event => Self {
                cpu: facts.limits.cpu,
                cpu_key: "cpu",
                wall: facts.limits.wall,
                wall_key: "wall",
            },
            TimeLimits::Message => Self {
                cpu: facts.limits.message_cpu,
                cpu_key: "message-cpu",
                wall: facts.limits.message_wall,
                wall_key: "message-wall",
            },
        }
    }

    /// Prepares the store for a call that can see `view`.
    pub(super) fn begin(&self, store: &mut Store<HostState>, view: View) {
        store.data_mut().begin_call(view, self.cpu);
        // At each epoch, the callback of the store compares the CPU time with the limit.
        store.set_epoch_deadline(1);
    }

    /// Runs a call, and measures its CPU time.
    ///
    /// # Errors
    ///
    /// Fails if the call exceeds its wall-clock time.
    pub(super) async fn run<F: Future>(&self, call: F) -> Result<F::Output, Elapsed> {
        timeout(self.wall, with_cpu_clock(call)).await
    }

    /// Ends a call, and converts its error.
    ///
    /// # Errors
    ///
    /// Fails if the call failed. The error names the limit that was exceeded, if there is one.
    pub(super) fn finish<T>(
        &self,
        store: &mut Store<HostState>,
        facts: &PluginFacts,
        result: Result<wasmtime::Result<T>, Elapsed>,
    ) -> Result<T, PluginError> {
        let state = store.data_mut();
        state.end_call();
        let error = match result {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => {
                return Err(PluginError::Wall {
                    key: self.wall_key,
                    limit: self.wall,
                });
            }
        };
        if state.memory.lacks_memory {
            return Err(HostFault::Room(error).into());
        }
        if state.memory.exceeded {
            return Err(PluginError::Memory(facts.limits.memory));
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Err(PluginError::Cpu {
                key: self.cpu_key,
                limit: self.cpu,
            }),
            Some(_) => Err(PluginError::Trap(error)),
            None => Err(host_error(error, facts)),
        }
    }
}
