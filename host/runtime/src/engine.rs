//! The engine that runs plugins, and the walls of the machine that it must not run into.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::{info, warn};
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
};

use crate::bindings::AllEvents;
use crate::host::{HostState, MAX_MEMORIES, MAX_MODULES, MAX_TABLES, wasi};
use crate::metrics::PluginMetricsFamily;
use postgate_contract::PluginLimits;
use postgate_dns::Dns;

/// The engine, what plugins may import from it, and how many instances there may be.
pub struct Runtime {
    engine: Engine,
    linker: Linker<HostState>,
    instances: Arc<Semaphore>,
    dns: Dns,
    metrics: PluginMetricsFamily,
}

impl Runtime {
    /// Makes an engine.
    ///
    /// `instances` is the most instances at a time; without it as many as the machine can hold, at
    /// most [`DEFAULT_INSTANCES`]. Compiled code is kept in `cache`. Plugins that are granted it ask
    /// `dns`.
    ///
    /// # Errors
    ///
    /// Where the cache directory cannot be used.
    pub fn new(
        instances: Option<u32>,
        cache: Option<&Path>,
        dns: Dns,
        metrics: PluginMetricsFamily,
    ) -> Result<Self, EngineError> {
        Self::make(instances, cache, dns, metrics).map_err(EngineError)
    }

    fn make(
        instances: Option<u32>,
        cache: Option<&Path>,
        dns: Dns,
        metrics: PluginMetricsFamily,
    ) -> wasmtime::Result<Self> {
        let wall = instances_the_machine_holds();
        let instances = instances.unwrap_or(DEFAULT_INSTANCES).min(wall);
        let mut config = base_config(cache)?;
        config.allocation_strategy(pool(instances));
        let engine = match Engine::new(&config) {
            Ok(engine) => engine,
            Err(error) => {
                warn!(%error, "no address space for a pool of plugin instances, going without");
                config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
                Engine::new(&config)?
            }
        };
        let mut linker = Linker::new(&engine);
        AllEvents::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
        wasi::add_to_linker(&mut linker)?;
        tick(&engine);
        info!(instances, wall, "plugin runtime is ready");
        Ok(Self {
            engine,
            linker,
            instances: Arc::new(Semaphore::new(instances as usize)),
            dns,
            metrics,
        })
    }

    /// One permit stands for one instance.
    pub const fn instances(&self) -> &Arc<Semaphore> {
        &self.instances
    }

    /// Who answers questions to the Domain Name System.
    pub const fn dns(&self) -> &Dns {
        &self.dns
    }

    /// Where what plugins do is counted.
    pub const fn metrics(&self) -> &PluginMetricsFamily {
        &self.metrics
    }

    pub(super) const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) const fn linker(&self) -> &Linker<HostState> {
        &self.linker
    }
}

/// The engine cannot be made, for example because its cache directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct EngineError(wasmtime::Error);

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("instances", &self.instances.available_permits())
            .finish_non_exhaustive()
    }
}

/// The most instances at a time where the operator does not say: 1,000 sessions of four plugins.
pub const DEFAULT_INSTANCES: u32 = 4_000;

/// How often running guests are interrupted to see whether their time is up.
const TICK: Duration = Duration::from_millis(5);

fn base_config(cache: Option<&Path>) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    if let Some(directory) = cache {
        let mut cache = CacheConfig::new();
        cache.with_directory(directory);
        config.cache(Some(Cache::new(cache)?));
    }
    Ok(config)
}

/// A component may be made of several core modules, each with a memory and tables of its own. A
/// guest in Python has one for each library that CPython is made of, and they share one memory: the
/// number of modules costs no address space, that of memories and tables does.
fn pool(instances: u32) -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(MAX_MODULES))
        .total_memories(instances.saturating_mul(MAX_MEMORIES))
        .total_tables(instances.saturating_mul(MAX_TABLES))
        .total_stacks(instances)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .table_elements(100_000)
        .max_memory_size(PluginLimits::MAX_MEMORY as usize);
    InstanceAllocationStrategy::Pooling(pool)
}

/// Each instance takes four mappings, and the stack on which it is called two more.
const MAPPINGS_OF_AN_INSTANCE: u32 = 6;
/// What the rest of the program may need.
const OTHER_MAPPINGS: u32 = 4_000;

/// How many instances fit under `vm.max_map_count`, past which the kernel gives out no memory.
fn instances_the_machine_holds() -> u32 {
    let limit = fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(65_530_u32);
    (limit.saturating_sub(OTHER_MAPPINGS) / MAPPINGS_OF_AN_INSTANCE).max(1)
}

/// One thread moves the clock of all guests, and ends with the engine.
fn tick(engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    });
}
