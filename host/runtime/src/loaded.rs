//! A loaded plugin, from which instances are made.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{Component as WasmComponent, InstancePre};
use wasmtime::{Store, UpdateDeadline};

use crate::breaker::Breaker;
use crate::context::Context;
use crate::cpu_time::cpu_used;
use crate::error::{PluginError, shown};
use crate::exports::{Exports, Guests};
use crate::files::Files;
use crate::host::{HostState, PluginFacts, View};
use crate::instance::{Budget, Instance};
use crate::metrics::{Counted, PluginMetrics, PluginMetricsFamily};
use crate::shared::{Lease, SharedInstances};
use postgate_config::sidecar::Sidecar;
use postgate_contract::{Event, Isolation, TimeLimits};
use postgate_dns::Dns;

/// A plugin that was loaded and checked.
pub struct LoadedPlugin {
    facts: Arc<PluginFacts>,
    hash: String,
    version: Option<String>,
    sidecar: Sidecar,
    pre: InstancePre<HostState>,
    exports: Exports,
    metrics: PluginMetrics,
    breaker: Breaker,
    shared: Option<SharedInstances<Instance>>,
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

impl LoadedPlugin {
    pub(super) fn new(
        identity: Identity,
        sidecar: Sidecar,
        pre: InstancePre<HostState>,
        dns: Dns,
        metrics: &PluginMetricsFamily,
    ) -> Self {
        let breaker = Breaker::new(sidecar.breaker.clone());
        let facts = PluginFacts {
            dns,
            files: Files::new(&identity.name, &sidecar.files, sidecar.limits.file_size),
            name: identity.name,
            config_json: sidecar.config.to_string(),
            config: sidecar.config.clone(),
            grants: sidecar.grants.clone(),
            limits: sidecar.limits.clone(),
        };
        let exports = Exports::of(&pre);
        let handled = Event::ALL
            .into_iter()
            .filter(|event| exports.has(*event) && is_enabled(&sidecar, *event));
        let metrics = metrics.of(&facts.name, handled);
        Self {
            metrics,
            breaker,
            shared: None,
            facts: Arc::new(facts),
            hash: identity.sha256,
            version: identity.version,
            sidecar,
            exports,
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

    /// What is counted about it.
    pub const fn metrics(&self) -> &PluginMetrics {
        &self.metrics
    }

    /// What takes it out where it keeps failing.
    pub const fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Whether sessions share its instances.
    pub fn is_shared(&self) -> bool {
        self.sidecar.isolation == Isolation::Shared
    }

    /// Lets sessions share as many instances as there are permits, which stand for places in the pool
    /// of the engine.
    pub(super) fn share(&mut self, places: OwnedSemaphorePermit) {
        self.shared = Some(SharedInstances::new(places));
    }

    /// An instance for a session: a fresh one, or one that sessions share.
    ///
    /// # Errors
    ///
    /// As [`Self::start`], and where no shared instance is free for as long as an event may take.
    pub(super) async fn take(&self, context: &Arc<Context>) -> Result<Instance, PluginError> {
        let Some(shared) = &self.shared else {
            return self.start(context).await;
        };
        let Lease { instance, permit } = shared.acquire(self.facts.limits.wall).await?;
        let mut instance = match instance {
            Some(instance) => instance,
            None => self.start(context).await?,
        };
        instance.place = Some(permit);
        Ok(instance)
    }

    /// Takes back a shared instance that works.
    pub(super) fn give_back(&self, mut instance: Instance) {
        if let (Some(shared), Some(place)) = (&self.shared, instance.place.take()) {
            shared.release(instance, place);
        }
    }

    /// Its compiled code.
    pub(super) fn code(&self) -> &WasmComponent {
        self.pre.component()
    }

    /// Whether the plugin is to be asked about an event: it exports it, and the operator lets it.
    pub fn handles(&self, event: Event) -> bool {
        self.exports.has(event) && is_enabled(&self.sidecar, event)
    }

    /// The events that the plugin exports, in the order of a session.
    pub fn exported_events(&self) -> impl Iterator<Item = Event> {
        Event::ALL
            .into_iter()
            .filter(|event| self.exports.has(*event))
    }

    /// Whether this is something that the plugin exports and that is called when it is loaded.
    pub(super) fn is_called_at_loading(&self, name: &str) -> bool {
        match name {
            "init" => self.exports.init.is_some(),
            "self-test" => self.exports.self_test.is_some(),
            _ => false,
        }
    }

    /// Makes an instance and initialises it.
    ///
    /// # Errors
    ///
    /// Where the plugin cannot be instantiated within its limits, or its `on-init` says no.
    pub async fn start(&self, context: &Arc<Context>) -> Result<Instance, PluginError> {
        let mut store = Store::new(self.pre.engine(), HostState::new(Arc::clone(&self.facts)));
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(self.facts.limits.hostcall_bytes as usize);
        store.set_max_component_handles(MAX_HANDLES);
        store.epoch_deadline_callback(|mut store| {
            match cpu_used() < store.data_mut().cpu {
                // Others get their turn; the guest goes on at the next.
                true => Ok(UpdateDeadline::YieldCustom(
                    1,
                    Box::pin(tokio::task::yield_now()),
                )),
                false => Ok(UpdateDeadline::Interrupt),
            }
        });
        // Starting an interpreter takes more than an answer does.
        let budget = Budget::of(TimeLimits::Message, &self.facts);
        budget.arm(&mut store, View::of(Arc::clone(context)));
        let started = budget.spend(self.instantiate(&mut store)).await;
        let finished = budget.finish(&mut store, &self.facts, started);
        let (guests, initialised) = finished.map_err(|error| match error {
            PluginError::Trap(text) => PluginError::Instantiate(text),
            other => other,
        })?;
        initialised.map_err(|text| PluginError::Init(shown(&text)))?;
        let counted = Counted::on(&self.metrics.instances);
        Ok(Instance::new(
            Arc::clone(&self.facts),
            store,
            guests,
            counted,
        ))
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

/// Whether the operator lets a plugin be asked about an event.
fn is_enabled(sidecar: &Sidecar, event: Event) -> bool {
    let enabled = sidecar.events.as_ref();
    enabled.is_none_or(|events| events.contains(&event))
}

impl fmt::Debug for LoadedPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedPlugin")
            .field("name", &self.facts.name)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// The most handles that an instance may hold.
const MAX_HANDLES: usize = 4_096;
