//! A histogram of durations that takes no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// A histogram of durations. Clones share one histogram.
#[derive(Clone, Debug, Default)]
pub struct Durations(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// One bucket for each bound, and one for longer durations.
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// Upper bounds in nanoseconds: from a warm call of a compiled guest to a typical wall-clock limit.
const BOUNDS: [u64; 14] = [
    1_000,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    1_000_000,
    5_000_000,
    25_000_000,
    100_000_000,
    500_000_000,
    2_500_000_000,
    10_000_000_000,
];

impl Durations {
    /// Adds a duration.
    pub fn observe(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < nanoseconds);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        let counts = self.0.counts.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> std::fmt::Result {
        let bounds = BOUNDS
            .iter()
            .map(|bound| Duration::from_nanos(*bound).as_secs_f64());
        let counts = self.0.counts.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_nanos(self.0.nanoseconds.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn durations_fall_into_buckets() {
        let mut registry = Registry::default();
        let durations = Durations::default();
        registry.register("call", "Calls", durations.clone());
        for nanoseconds in [1_000, 1_001, 30_000_000_000] {
            durations.observe(Duration::from_nanos(nanoseconds));
        }
        assert_eq!(durations.count(), 3);
        let mut rendered = String::new();
        text::encode(&mut rendered, &registry).unwrap();
        for line in [
            "call_count 3",
            "call_bucket{le=\"0.000001\"} 1",
            "call_bucket{le=\"0.000005\"} 2",
            "call_bucket{le=\"10.0\"} 2",
            "call_bucket{le=\"+Inf\"} 3",
        ] {
            assert!(rendered.lines().any(|l| l == line), "{line}:\n{rendered}");
        }
    }
}
