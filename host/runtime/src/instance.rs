//! An instance of a plugin, and the limits of each call.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use wasmtime::{Store, Trap};

use crate::calls::Guests;
use crate::context::Context;
use crate::cpu_time::with_cpu_clock;
use crate::host::{HostState, PluginFacts};
use crate::metrics::Counted;
use crate::verdict::{Exceeded, Opinion, PluginError};
use postgate_contract::Event;

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

    /// Calls the plugin at an event that it handles.
    ///
    /// # Errors
    ///
    /// Where the plugin traps, exceeds a limit, or answers what the contract does not allow.
    pub async fn call(
        &mut self,
        event: Event,
        context: &Arc<Context>,
    ) -> Result<Opinion, PluginError> {
        let budget = Budget::of(event, &self.facts);
        budget.arm(&mut self.store, context);
        let answered = budget
            .spend(self.guests.ask(event, &mut self.store, context))
            .await;
        let answer = budget.finish(&mut self.store, &self.facts, answered)?;
        let opinion = answer.map_err(|text| PluginError::Answer(shown(&text)))?;
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
        let budget = Budget::of(Event::Message, &self.facts);
        budget.arm(&mut self.store, context);
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

/// What else can end a call: the host, in a function that the guest has called.
fn host_error(error: &wasmtime::Error, facts: &PluginFacts) -> PluginError {
    if let Some(Exceeded { key, limit }) = error.downcast_ref() {
        return PluginError::Limit { key, limit: *limit };
    }
    let text = error.root_cause().to_string();
    // The engine has no type for this that could be named.
    match text.contains("fuel allocated for hostcalls has been exhausted") {
        true => PluginError::Limit {
            key: "hostcall-bytes",
            limit: facts.limits.hostcall_bytes,
        },
        false => PluginError::Trap(shown(&text)),
    }
}

/// What a plugin has written, or made the host write, as it may stand in a line of the log.
pub(super) fn shown(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_SHOWN)];
    text.replace(char::is_control, " ")
}

/// How much of what a plugin says about its failure is kept, in octets.
const MAX_SHOWN: usize = 2_048;

/// The time that one call may take.
pub(super) struct Budget {
    cpu: Duration,
    cpu_key: &'static str,
    wall: Duration,
    wall_key: &'static str,
}

impl Budget {
    pub(super) const fn of(event: Event, facts: &PluginFacts) -> Self {
        match event {
            Event::Message => Self::of_init(facts),
            _ => Self {
                cpu: facts.limits.cpu,
                cpu_key: "cpu",
                wall: facts.limits.wall,
                wall_key: "wall",
            },
        }
    }

    /// Starting an interpreter takes more than an answer does.
    pub(super) const fn of_init(facts: &PluginFacts) -> Self {
        Self {
            cpu: facts.limits.message_cpu,
            cpu_key: "message-cpu",
            wall: facts.limits.message_wall,
            wall_key: "message-wall",
        }
    }

    pub(super) fn arm(&self, store: &mut Store<HostState>, context: &Arc<Context>) {
        store.data_mut().enter(Arc::clone(context), self.cpu);
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
        state.leave();
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
