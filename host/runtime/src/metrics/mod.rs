//! Metrics of plugins.
//!
//! The counters that every call updates are looked up once, when the plugin is loaded, and take no lock.

mod duration;
mod gauge;
mod plugin;

pub use self::duration::Durations;
pub use self::gauge::{Counted, Gauge};
pub use self::plugin::{PluginMetrics, PluginMetricsFamily};
