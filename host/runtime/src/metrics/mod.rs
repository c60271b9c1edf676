//! What is counted about plugins.
//!
//! The counters of a plugin are looked up once, when the plugin is loaded; counting takes no lock.

mod duration;
mod plugin;

use std::sync::atomic::AtomicI64;

pub use self::duration::Durations;
pub use self::plugin::{PluginMetrics, PluginMetricsFamily};

/// A number that goes up and down.
pub type Gauge = prometheus_client::metrics::gauge::Gauge<i64, AtomicI64>;

/// One of something, for as long as this lives.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Counted {
    /// Counts one more.
    pub fn on(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
