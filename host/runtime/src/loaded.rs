//! A loaded plugin, which creates instances.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::InstancePre;
use wasmtime::{Store, UpdateDeadline};

use crate::breaker::Breaker;
use crate::compiler::Code;
use crate::context::Context;
use crate::cpu_time::cpu_used;
use crate::engine::Runtime;
use crate::error::{PluginError, log_text};
use crate::exports::{Exports, Guests};
use crate::files::Files;
use crate::host::{HostState, PluginFacts, View};
use crate::instance::{Budget, Guest, Instance};
use crate::metrics::{Counted, PluginMetrics};
use crate::resources::TICKS_OF_SLICE;
use crate::shared::{Lease, SharedInstances};
use postgate_config::sidecar::Sidecar;
use postgate_contract::{Event, Isolation, TimeLimits};

/// A plugin that was loaded and checked, with its sidecar, breaker and metrics.
pub struct LoadedPlugin {
    facts: Arc<PluginFacts>,
    hash: String,
    version: Option<String>,
    sidecar: Sidecar,
    code: Arc<LinkedCode>,
    metrics: PluginMetrics,
    breaker: Breaker,
    shared: Option<SharedInstances<Instance>>,
}

/// What instances are made of.
struct LinkedCode {
    pre: InstancePre<HostState>,
    exports: Exports,
}

/// The identity of a version of a plugin.
pub(super) struct Identity {
    /// The file name without its extension.
    pub(super) name: String,
    /// The SHA-256 of the file in hexadecimal digits.
    pub(super) sha256: String,
    /// The version that the author wrote into the component, if there is one.
    pub(super) version: Option<String>,
}

impl LoadedPlugin {
    /// Creates a plugin that does not share its instances yet; see [`Self::share`].
    pub(super) fn new(
        identity: Identity,
        sidecar: Sidecar,
        pre: InstancePre<HostState>,
        runtime: &Runtime,
    ) -> Self {
        let breaker = Breaker::new(sidecar.breaker.clone());
        let facts = PluginFacts {
            dns: runtime.dns().clone(),
            resources: Arc::clone(runtime.resources()),
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
        let metrics = runtime.metrics().of(&facts.name, handled);
        Self {
            metrics,
            breaker,
            shared: None,
            facts: Arc::new(facts),
            hash: identity.sha256,
            version: identity.version,
            sidecar,
            code: Arc::new(LinkedCode { pre, exports }),
        }
    }

    /// The name: the file name without its extension.
    pub fn name(&self) -> &str {
        &self.facts.name
    }

    /// The SHA-256 of the file in hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The version that the author wrote into the component, or `None` if there is none.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The settings of the operator for the plugin.
    pub const fn sidecar(&self) -> &Sidecar {
        &self.sidecar
    }

    /// The listed files that the plugin could not read: path and reason, for operators only.
    pub(super) async fn unreadable_files(&self) -> Vec<String> {
        self.facts.files.unreadable().await
    }

    /// The metrics of the plugin.
    pub const fn metrics(&self) -> &PluginMetrics {
        &self.metrics
    }

    /// The breaker, which takes the plugin out of service if it keeps failing.
    pub const fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// True if sessions share the instances of the plugin.
    pub fn is_shared(&self) -> bool {
        self.sidecar.isolation == Isolation::Shared
    }

    /// Lets sessions share as many instances as there are permits of the engine's pool.
    pub(super) fn share(&mut self, pool_permits: OwnedSemaphorePermit) {
        self.shared = Some(SharedInstances::new(pool_permits));
    }

    /// Returns an instance for a session: a new one, or a shared one.
    ///
    /// # Errors
    ///
    /// As [`Self::start`]. Also fails if no shared instance is free within `limits.wall`.
    pub(super) async fn take(&self, context: &Arc<Context>) -> Result<Instance, PluginError> {
        let Some(shared) = &self.shared else {
            return self.start(context).await;
        };
        let Lease { instance, permit } = shared.acquire(self.facts.limits.wall).await?;
        let mut instance = match instance {
            Some(instance) => instance,
            None => self.start(context).await?,
        };
        instance.permit = Some(permit);
        Ok(instance)
    }

    /// Takes back a shared instance that works, and drops any other instance.
    pub(super) fn give_back(&self, mut instance: Instance) {
        if let (Some(shared), Some(permit)) = (&self.shared, instance.permit.take()) {
            shared.release(instance, permit);
        }
    }

    /// Drops the shared instances that no session uses. Their memory never shrinks otherwise.
    pub fn drop_idle_instances(&self) {
        if let Some(shared) = &self.shared {
            shared.drop_idle();
        }
    }

    /// The compiled code.
    pub(super) fn code(&self) -> Code {
        Code {
            component: self.code.pre.component().clone(),
            version: self.version.clone(),
        }
    }

    /// True if the plugin is asked about an event: it exports the function, and the sidecar enables the
    /// event.
    pub fn handles(&self, event: Event) -> bool {
        self.code.exports.has(event) && is_enabled(&self.sidecar, event)
    }

    /// The events whose functions the plugin exports, in the order of a session.
    pub fn exported_events(&self) -> impl Iterator<Item = Event> {
        Event::ALL
            .into_iter()
            .filter(|event| self.code.exports.has(*event))
    }

    /// True for `init` and `self-test`, which are called when the plugin is loaded, if the plugin exports
    /// them.
    pub(super) fn is_called_at_loading(&self, name: &str) -> bool {
        match name {
            "init" => self.code.exports.init.is_some(),
            "self-test" => self.code.exports.self_test.is_some(),
            _ => false,
        }
    }

    /// Creates an instance and calls its `on-init`, within the limits of the event `message`.
    ///
    /// # Errors
    ///
    /// Fails if the plugin cannot be instantiated within its limits, or if `on-init` returns an error.
    pub async fn start(&self, context: &Arc<Context>) -> Result<Instance, PluginError> {
        // An interpreter takes longer to start than to answer, so the limits of a message apply.
        let budget = Budget::of(TimeLimits::Message, &self.facts);
        let mut store = self.new_store();
        let view = View::of(Arc::clone(context));
        let client = view.client();
        budget.begin(&mut store, view);
        let code = Arc::clone(&self.code);
        let starting = async move {
            let started = code.instantiate(&mut store).await;
            (store, started)
        };
        let ended = budget.run(client, &self.facts.resources, starting).await?;
        let (mut store, started) = ended.output;
        let finished = budget.finish(store.data_mut(), &self.facts, started);
        let (functions, initialised) = finished.map_err(|error| match error {
            PluginError::Trap(error) => PluginError::Instantiate(error),
            other => other,
        })?;
        initialised.map_err(|text| PluginError::Init(log_text(&text)))?;
        let counted = Counted::on(&self.metrics.instances);
        let guest = Guest { store, functions };
        Ok(Instance::new(Arc::clone(&self.facts), guest, counted))
    }

    /// The store of a new instance, with its limits.
    fn new_store(&self) -> Store<HostState> {
        let state = HostState::new(Arc::clone(&self.facts));
        let mut store = Store::new(self.code.pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(self.facts.limits.hostcall_bytes as usize);
        store.set_max_component_handles(MAX_HANDLES);
        store.epoch_deadline_callback(|mut store| {
            match cpu_used() < store.data_mut().cpu {
                // Makes way for others; the guest continues when it is polled again.
                true => Ok(UpdateDeadline::YieldCustom(
                    TICKS_OF_SLICE,
                    Box::pin(tokio::task::yield_now()),
                )),
                false => Ok(UpdateDeadline::Interrupt),
            }
        });
        store
    }
}

impl LinkedCode {
    /// Instantiates the component and calls `on-init`, whose error is the inner one.
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

/// True if the sidecar enables an event.
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

/// The greatest number of resource handles of an instance.
const MAX_HANDLES: usize = 4_096;
