//! The plugin runtime: loads plugins, runs them in their sandboxes, and combines the answers of several
//! plugins into one decision.
//!
//! - [`Runtime`]: the engine, and the host functions that plugins can import;
//! - [`load_file`], [`PluginRegistry`]: loading files, once or whenever they change;
//! - [`pipeline`]: the plugins of one session, asked in order;
//! - [`question`], [`context`] and [`verdict`]: what plugins are asked, can see and answer;
//! - [`recording`]: calls of a plugin, recorded in a session and replayed with another build.

mod bindings;
pub mod breaker;
mod compiler;
pub mod context;
mod convert;
mod cpu_time;
mod engine;
mod error;
mod exports;
mod files;
mod host;
pub mod host_calls;
mod instance;
mod load;
mod loaded;
mod meter;
pub mod metrics;
pub mod observer;
pub mod pipeline;
mod printable;
pub mod question;
pub mod recording;
mod registry;
mod resources;
mod shared;
mod store;
pub mod verdict;

pub use self::compiler::{
    CacheSettings, CompilerError, CompilerLimits, CompilerSettings, ComponentError,
    compile_standard_input,
};
pub use self::convert::InvalidAnswer;
pub use self::engine::{DEFAULT_INSTANCES, EngineError, Runtime, RuntimeSettings};
pub use self::error::{HostFault, PluginError};
pub use self::instance::Instance;
pub use self::load::{Inspection, LoadError, inspect, load_file};
pub use self::loaded::LoadedPlugin;
pub use self::meter::Remainder;
pub use self::printable::Printable;
pub use self::registry::{
    Inventory, PluginListing, PluginListingEntry, PluginRegistry, PluginSet, PluginStatus,
    RegistrySettings, WatchSettings, watch,
};
pub use self::resources::{ClientCpu, MemoryBudget};
pub use self::store::SessionStores;
