//! A loaded plugin, and an instance of it in a session.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;
use wasmtime::component::{Component as WasmComponent, InstancePre};
use wasmtime::{Store, Trap, UpdateDeadline};

use crate::config::sidecar::{Event, Sidecar};
use crate::dns::Dns;
use crate::plugin::calls::{Exports, Guests};
use crate::plugin::context::Context;
use crate::plugin::host::{HostState, MimeMemory, PluginFacts};
use crate::plugin::meter::{metered, used};
use crate::plugin::verdict::{Opinion, PluginError};

/// A plugin that was loaded and checked.
pub struct Component {
    facts: Arc<PluginFacts>,
    hash: String,
    version: Option<String>,
    sidecar: Sidecar,
    pre: InstancePre<HostState>,
    exports: Exports,
}

/// What tells a plugin from others, and from other versions of itself.
pub(super) struct Identity {
    /// The name: that of the file without its ending.
    pub(super) name: String,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub(super) sha256: String,
    /// What its author calls this version.
    pub(super) version: Option<String>,
}

impl Component {
    pub(super) fn new(
        identity: Identity,
        sidecar: Sidecar,
        pre: InstancePre<HostState>,
        dns: Dns,
        mime_memory: MimeMemory,
    ) -> Self {
        let facts = PluginFacts {
            dns,
            mime_memory,
            name: identity.name,
            config: sidecar.config.clone(),
            grants: sidecar.grants.clone(),
            limits: sidecar.limits.clone(),
        };
        Self {
            facts: Arc::new(facts),
            hash: identity.sha256,
            version: identity.version,
            sidecar,
            exports: Exports::of(&pre),
            pre,
        }
    }

    /// The name: that of the file without its ending.
    pub fn name(&self) -> &str {
        &self.facts.name
    }

    /// The SHA-256 of the file, in hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What its author calls this version, where he says so.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// What the operator decided about it.
    pub const fn sidecar(&self) -> &Sidecar {
        &self.sidecar
    }

    /// Its compiled code.
    pub(super) fn code(&self) -> &WasmComponent {
        self.pre.component()
    }

    /// Whether the plugin is to be asked about an event: it exports it, and the operator lets it.
    pub fn handles(&self, event: Event) -> bool {
        let enabled = self.sidecar.events.as_ref();
        self.exports.handles(event) && enabled.is_none_or(|events| events.contains(&event))
    }

    /// The events that the plugin exports, in the order of a session.
    pub fn exported_events(&self) -> impl Iterator<Item = Event> {
        Event::ALL
            .into_iter()
            .filter(|event| self.exports.handles(*event))
    }

    /// Makes an instance and initialises it.
    ///
    /// # Errors
    ///
    /// Where the plugin can not be instantiated within its limits, or its `on-init` says no.
    pub async fn start(&self, context: &Arc<Context>) -> Result<Instance, PluginError> {
        let mut store = Store::new(self.pre.engine(), HostState::new(Arc::clone(&self.facts)));
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(self.facts.limits.hostcall_bytes as usize);
        store.set_max_component_handles(MAX_HANDLES);
        store.epoch_deadline_callback(|mut store| {
            match used() < store.data_mut().cpu {
                // Others get their turn; the guest goes on at the next.
                true => Ok(UpdateDeadline::YieldCustom(
                    1,
                    Box::pin(tokio::task::yield_now()),
                )),
                false => Ok(UpdateDeadline::Interrupt),
            }
        });
        let budget = Budget::of_init(&self.facts);
        budget.arm(&mut store, context);
        let started = budget.spend(self.instantiate(&mut store)).await;
        let finished = budget.finish(&mut store, &self.facts, started);
        let (guests, initialised) = finished.map_err(|error| match error {
            PluginError::Trap(text) => PluginError::Instantiate(text),
            other => other,
        })?;
        initialised.map_err(PluginError::Init)?;
        Ok(Instance {
            facts: Arc::clone(&self.facts),
            store,
            guests,
        })
    }

    async fn instantiate(
        &self,
        store: &mut Store<HostState>,
    ) -> wasmtime::Result<(Guests, Result<(), String>)> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        let guests = self.exports.load(&mut *store, &instance)?;
        let initialised = match &self.exports.init {
            None => Ok(()),
            Some(init) => {
                init.load(&mut *store, &instance)?
                    .call_on_init(&mut *store)
                    .await?
            }
        };
        Ok((guests, initialised))
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("name", &self.facts.name)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// An instance of a plugin. After an error it must not be called again: a trap poisons its store.
pub struct Instance {
    facts: Arc<PluginFacts>,
    store: Store<HostState>,
    guests: Guests,
}

impl Instance {
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
        let opinion = answer.map_err(PluginError::Answer)?;
        let limit = self.facts.limits.edits;
        match opinion.edits.len() > limit as usize {
            true => Err(PluginError::Answer(format!(
                "more than limits.edits of {limit} edits"
            ))),
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
        tested.map_err(PluginError::SelfTest)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("plugin", &self.facts.name)
            .finish_non_exhaustive()
    }
}

/// The most handles that an instance may hold.
const MAX_HANDLES: usize = 4_096;

/// The time that one call may take.
struct Budget {
    cpu: Duration,
    cpu_key: &'static str,
    wall: Duration,
    wall_key: &'static str,
}

impl Budget {
    const fn of(event: Event, facts: &PluginFacts) -> Self {
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
    const fn of_init(facts: &PluginFacts) -> Self {
        Self {
            cpu: facts.limits.message_cpu,
            cpu_key: "message-cpu",
            wall: facts.limits.message_wall,
            wall_key: "message-wall",
        }
    }

    fn arm(&self, store: &mut Store<HostState>, context: &Arc<Context>) {
        store.data_mut().enter(Arc::clone(context), self.cpu);
        store.set_epoch_deadline(1);
    }

    /// Runs a call for as long as it may take.
    async fn spend<F: Future>(&self, call: F) -> Result<F::Output, Elapsed> {
        timeout(self.wall, metered(call)).await
    }

    /// Takes the session back from the guest, and says whose limit it ran into where it did.
    fn finish<T>(
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
            _ => Err(PluginError::Trap(error.root_cause().to_string())),
        }
    }
}
