//! The engine that runs plugins, sized by the limits of the machine.

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

/// The engine, the functions that plugins may import, and the permits for instances.
pub struct Runtime {
    engine: Engine,
    linker: Linker<HostState>,
    instances: Arc<Semaphore>,
    dns: Dns,
    metrics: PluginMetricsFamily,
}

impl Runtime {
    /// Creates an engine.
    ///
    /// `instances` is the greatest number of instances at a time, by default [`DEFAULT_INSTANCES`]; it
    /// is reduced to what the machine can hold. Compiled code is cached in the directory `cache`.
    /// `dns` answers the queries of plugins that have the grant.
    ///
    /// # Errors
    ///
    /// Fails if the cache directory cannot be used.
    pub fn new(
        instances: Option<u32>,
        cache: Option<&Path>,
        dns: Dns,
        metrics: PluginMetricsFamily,
    ) -> Result<Self, EngineError> {
        Self::build(instances, cache, dns, metrics).map_err(EngineError)
    }

    fn build(
        instances: Option<u32>,
        cache: Option<&Path>,
        dns: Dns,
        metrics: PluginMetricsFamily,
    ) -> wasmtime::Result<Self> {
        let wall = max_instances();
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
        start_epoch_thread(&engine);
        info!(instances, wall, "plugin runtime is ready");
        Ok(Self {
            engine,
            linker,
            instances: Arc::new(Semaphore::new(instances as usize)),
            dns,
            metrics,
        })
    }

    /// The permits for instances: one each.
    pub const fn instances(&self) -> &Arc<Semaphore> {
        &self.instances
    }

    /// The resolver for DNS queries of plugins.
    pub const fn dns(&self) -> &Dns {
        &self.dns
    }

    /// The metrics of all plugins.
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

/// The engine cannot be created, for example because its cache directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct EngineError(#[source] wasmtime::Error);

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("instances", &self.instances.available_permits())
            .finish_non_exhaustive()
    }
}

/// The default of `plugins.instances`: 1,000 sessions with four plugins each.
pub const DEFAULT_INSTANCES: u32 = 4_000;

/// The interval at which running guests are interrupted to check their CPU time.
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

/// Sizes the pool. A component may consist of several core modules: a Python guest has one for each
/// library of CPython, and they share one memory. Modules take no address space in the pool; memories
/// and tables do.
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

/// Memory mappings of one instance: four of its own, and two of the stack for its calls.
const MAPPINGS_PER_INSTANCE: u32 = 6;
/// Memory mappings reserved for the rest of the process.
const OTHER_MAPPINGS: u32 = 4_000;

/// Returns the number of instances that fit below `vm.max_map_count`, the greatest number of memory
/// mappings of a process.
fn max_instances() -> u32 {
    let limit = fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(DEFAULT_MAX_MAP_COUNT);
    (limit.saturating_sub(OTHER_MAPPINGS) / MAPPINGS_PER_INSTANCE).max(1)
}

/// The default of `vm.max_map_count` in Linux.
const DEFAULT_MAX_MAP_COUNT: u32 = 65_530;

/// Starts the thread that advances the epoch of the engine. It ends when the engine is dropped.
fn start_epoch_thread(engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    });
}
