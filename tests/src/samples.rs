//! Measured durations of a benchmark.

use std::time::{Duration, Instant};

/// Measured durations.
#[derive(Debug, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Adds the time since `start`.
    pub fn push(&mut self, start: Instant) {
        self.0.push(start.elapsed());
    }

    /// Adds the time that a function takes.
    pub fn time(&mut self, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        self.push(start);
    }

    /// Returns the median.
    ///
    /// # Panics
    ///
    /// Panics if there are no samples.
    pub fn median(&self) -> Duration {
        self.quantile(50)
    }

    /// Returns the time that so many percent, below 100, are not above.
    ///
    /// # Panics
    ///
    /// As [`Self::median`].
    pub fn quantile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[sorted.len() * percent / 100]
    }

    /// Prints the median, the 95th percentile and the number of samples.
    ///
    /// # Panics
    ///
    /// Panics if there are no samples.
    pub fn report(&self, name: &str) {
        let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
        let (median, tail) = (micros(self.median()), micros(self.quantile(95)));
        println!(
            "{name}: median {median:.1} µs, 95 % below {tail:.1} µs, {} samples",
            self.0.len()
        );
    }
}
