//! Gauges, and a guard that counts what exists.

use std::sync::atomic::AtomicI64;

/// A number that goes up and down.
pub type Gauge = prometheus_client::metrics::gauge::Gauge<i64, AtomicI64>;

/// Counts one in a gauge as long as it lives.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Counted {
    /// Increments the gauge until the result is dropped.
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
