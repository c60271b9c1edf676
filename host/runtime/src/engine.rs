//! The engine that runs plugins, sized by the limits of the machine.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::{info, warn};
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::bindings::AllEvents;
use crate::compiler::{CacheError, CacheSettings, Compiler, CompilerSettings, code_config};
use crate::host::{HostState, MAX_MEMORIES, MAX_MODULES, MAX_TABLES, wasi};
use crate::metrics::PluginMetricsFamily;
use crate::resources::{ClientCpu, LongCalls, MemoryBudget, Resources, Ticker};
use postgate_config::Plugins;
use postgate_contract::PluginLimits;
use postgate_dns::Dns;

/// The engine, the functions that plugins may import, and the permits for instances.
pub struct Runtime {
    engine: Engine,
    linker: Linker<HostState>,
    compiler: Compiler,
    instances: Arc<Semaphore>,
    resources: Arc<Resources>,
    dns: Dns,
    metrics: PluginMetricsFamily,
}

impl Runtime {
    /// Creates an engine. `dns` answers the queries of plugins that have the grant.
    ///
    /// # Errors
    ///
    /// Fails if the cache directory cannot be used.
    pub fn new(
        settings: RuntimeSettings<'_>,
        dns: Dns,
        metrics: PluginMetricsFamily,
    ) -> Result<Self, EngineError> {
        let (engine, linker, instances) = build(settings.instances)?;
        let ticker = Ticker::start(&engine).map_err(wasmtime::Error::from)?;
        let resources = Resources {
            long_calls: LongCalls::new(ticker),
            clients: Arc::new(ClientCpu::new(settings.client_cpu)),
            memory: Arc::new(MemoryBudget::new(settings.memory)),
        };
        let compiler = Compiler::new(engine.clone(), settings.compiler, settings.cache)?;
        Ok(Self {
            engine,
            linker,
            compiler,
            instances: Arc::new(Semaphore::new(instances as usize)),
            resources: Arc::new(resources),
            dns,
            metrics,
        })
    }

    /// The permits for instances: one each.
    pub const fn instances(&self) -> &Arc<Semaphore> {
        &self.instances
    }

    /// The memory of all instances.
    pub fn memory(&self) -> &Arc<MemoryBudget> {
        &self.resources.memory
    }

    /// The processor time that plugins use, by client.
    pub fn clients(&self) -> &Arc<ClientCpu> {
        &self.resources.clients
    }

    /// The resolver for DNS queries of plugins.
    pub const fn dns(&self) -> &Dns {
        &self.dns
    }

    /// The metrics of all plugins.
    pub const fn metrics(&self) -> &PluginMetricsFamily {
        &self.metrics
    }

    pub(super) const fn resources(&self) -> &Arc<Resources> {
        &self.resources
    }

    pub(super) const fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    pub(super) const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) const fn linker(&self) -> &Linker<HostState> {
        &self.linker
    }
}

/// How a runtime is set up.
#[derive(Clone, Debug, Default)]
pub struct RuntimeSettings<'a> {
    /// The greatest number of instances at a time, by default [`DEFAULT_INSTANCES`]. It is reduced to
    /// what the machine can hold.
    pub instances: Option<u32>,
    /// The most memory of all instances together, in octets, by default half the memory of the machine.
    pub memory: Option<u64>,
    /// The most processor time that plugins may use for one client in a minute; 0 for no limit.
    pub client_cpu: Duration,
    /// The directory for compiled code. Without one, nothing is stored.
    pub cache: Option<CacheSettings<'a>>,
    /// The program that compiles plugin files. Without one, only plugins in the cache can be loaded.
    pub compiler: Option<CompilerSettings>,
}

impl<'a> RuntimeSettings<'a> {
    /// The settings of a configuration, without a limit on clients.
    pub fn of(plugins: &'a Plugins) -> Self {
        Self {
            instances: plugins.instances,
            memory: plugins.memory,
            client_cpu: Duration::ZERO,
            cache: CacheSettings::of(plugins),
            compiler: CompilerSettings::of(plugins),
        }
    }
}

/// The engine cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The cache directory cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The system lacks something that the engine needs.
    #[error("{0:#}")]
    Engine(#[from] wasmtime::Error),
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("instances", &self.instances.available_permits())
            .finish_non_exhaustive()
    }
}

/// The default of `plugins.instances`: 1,000 sessions with four plugins each.
pub const DEFAULT_INSTANCES: u32 = 4_000;

/// Creates an engine, its linker, and the number of instances that it has room for.
fn build(instances: Option<u32>) -> wasmtime::Result<(Engine, Linker<HostState>, u32)> {
    let wall = max_instances();
    let instances = instances.unwrap_or(DEFAULT_INSTANCES).min(wall);
    let mut config = code_config();
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
    info!(instances, wall, "plugin runtime is ready");
    Ok((engine, linker, instances))
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
