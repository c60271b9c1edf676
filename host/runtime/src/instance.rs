//! An instance of a plugin, and the limits of each call.

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
use crate::error::{LimitExceeded, PluginError, shown};
use crate::exports::Guests;
use crate::host::{HostError, HostState, PluginFacts, View};
use crate::metrics::Counted;
use crate::question::Question;
use crate::verdict::Opinion;

/// An instance of a plugin. After an error it must not be called again: a trap poisons its store.
pub struct Instance {
    facts: Arc<PluginFacts>,
    store: Store<HostState>,
    guests: Guests,
    /// Where sessions share instances: this one is at work.
    pub(super) place: Option<OwnedSemaphorePermit>,
    _counted: Counted,
}

impl Instance {
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
            place: None,
            _counted: counted,
        }
    }

    /// Asks the plugin a question about an event that it handles.
    ///
    /// # Errors
    ///
    /// Fails if the plugin traps, exceeds a limit, or answers what the contract does not allow.
    pub async fn call(
        &mut self,
        question: Question<'_>,
        context: &Arc<Context>,
    ) -> Result<Opinion, PluginError> {
        let budget = Budget::of(question.event().time_limits(), &self.facts);
        let view = View::new(Arc::clone(context), &question);
        budget.arm(&mut self.store, view);
        let answered = budget
            .spend(self.guests.ask(question, &mut self.store, context))
            .await;
        let opinion = budget.finish(&mut self.store, &self.facts, answered)??;
        let limit = self.facts.limits.edits;
        match opinion.edits.len() > limit as usize {
            true => Err(PluginError::Limit {
                key: "edits",
                limit,
            }),
            false => Ok(opinion),
        }
    }

    /// Lets the plugin prove that it works, where it can.
    ///
    /// # Errors
    ///
    /// Where it traps, exceeds a limit, or says that it does not work.
    pub async fn self_test(&mut self, context: &Arc<Context>) -> Result<(), PluginError> {
        let Some(guest) = self.guests.self_test.clone() else {
            return Ok(());
        };
        let budget = Budget::of(TimeLimits::Message, &self.facts);
        budget.arm(&mut self.store, View::of(Arc::clone(context)));
        let tested = budget.spend(guest.call_on_self_test(&mut self.store)).await;
        let tested = budget.finish(&mut self.store, &self.facts, tested)?;
        tested.map_err(|text| PluginError::SelfTest(shown(&text)))
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("plugin", &self.facts.name)
            .finish_non_exhaustive()
    }
}

/// What else can end a call: a host function, or the engine while it moves data between guest and host.
fn host_error(error: &wasmtime::Error, facts: &PluginFacts) -> PluginError {
    if let Some(LimitExceeded { key, limit }) = error.downcast_ref() {
        return PluginError::Limit { key, limit: *limit };
    }
    match is_hostcall_fuel(error) {
        true => PluginError::Limit {
            key: "hostcall-bytes",
            limit: facts.limits.hostcall_bytes,
        },
        false => PluginError::Trap(shown(&error.root_cause().to_string())),
    }
}

/// True if the guest has passed more data than [`Store::set_hostcall_fuel`] allows.
///
/// The engine keeps the type of this error to itself. It is the only error of its data transfer that
/// is neither a trap nor a message; those of the host's functions are [`HostError`]s, and text that is
/// not UTF-8 has the error of the standard library.
fn is_hostcall_fuel(error: &wasmtime::Error) -> bool {
    let is_message = error.is::<String>() || error.is::<&'static str>();
    let is_text = error.is::<Utf8Error>() || error.is::<FromUtf8Error>();
    !is_message && !is_text && !error.is::<HostError>()
}

/// The time that one call may take.
pub(super) struct Budget {
    cpu: Duration,
    cpu_key: &'static str,
    wall: Duration,
    wall_key: &'static str,
}

impl Budget {
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

    pub(super) fn arm(&self, store: &mut Store<HostState>, view: View) {
        store.data_mut().begin_call(view, self.cpu);
        store.set_epoch_deadline(1);
    }

    /// Runs a call for as long as it may take.
    pub(super) async fn spend<F: Future>(&self, call: F) -> Result<F::Output, Elapsed> {
        timeout(self.wall, with_cpu_clock(call)).await
    }

    /// Takes the session back from the guest, and says whose limit it ran into where it did.
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
        if state.memory.exceeded {
            return Err(PluginError::Memory(facts.limits.memory));
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Err(PluginError::Cpu {
                key: self.cpu_key,
                limit: self.cpu,
            }),
            Some(trap) => Err(PluginError::Trap(trap.to_string())),
            None => Err(host_error(&error, facts)),
        }
    }
}
