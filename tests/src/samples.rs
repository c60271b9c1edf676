//! Durations of one kind, as benchmarks report them.

use std::time::{Duration, Instant};

/// Durations of one kind.
#[derive(Debug, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Adds the time since `start`.
    pub fn push(&mut self, start: Instant) {
        self.0.push(start.elapsed());
    }

    /// Adds the time that some work takes.
    pub fn time(&mut self, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        self.push(start);
    }

    /// The one in the middle.
    ///
    /// # Panics
    ///
    /// Where there is none.
    pub fn median(&self) -> Duration {
        self.quantile(50)
    }

    fn quantile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[sorted.len() * percent / 100]
    }

    /// Prints a line about them.
    ///
    /// # Panics
    ///
    /// Where there is none.
    pub fn report(&self, name: &str) {
        let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
        let (median, tail) = (micros(self.median()), micros(self.quantile(95)));
        println!(
            "{name}: median {median:.1} µs, 95 % below {tail:.1} µs, {} samples",
            self.0.len()
        );
    }
}
