//! Measures the time of the calls of a plugin, by event.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use toml::Table;

use super::call::Call;
use super::error::HarnessError;
use super::harness::Harness;
use super::mail::{self, Envelope};
use postgate_contract::Event;

/// The sessions of a benchmark.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The number of sessions.
    pub sessions: u32,
    /// The number of messages in each session.
    pub messages: u32,
    /// The message.
    pub message: Vec<u8>,
}

/// The result of a benchmark.
#[derive(Clone, Debug)]
pub struct Report {
    /// The statistics of the first call of each session, which creates the instance, and then those of
    /// each event that the plugin handles, in the order of a session.
    pub events: Vec<(String, CallStatistics)>,
    /// The number of failed calls.
    pub failures: usize,
}

/// The durations of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallStatistics {
    /// The number of calls, at least 1.
    pub calls: usize,
    /// The sum of the durations.
    pub total: Duration,
    /// The median.
    pub p50: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// The maximum.
    pub max: Duration,
}

impl CallStatistics {
    /// Returns `None` if there are no calls.
    fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1));
        Some(Self {
            calls: times.len(),
            total: times.iter().sum(),
            max: *times.last()?,
            p50: *at(50)?,
            p99: *at(99)?,
        })
    }

    /// Returns the number of calls that one thread can make in a second.
    pub fn per_second(&self) -> f64 {
        self.calls as f64 / self.total.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Runs a workload with a plugin. Calls `progress` with the number of sessions before each of them.
///
/// # Errors
///
/// Fails if the plugin cannot be loaded, or a session cannot be opened.
pub fn run(
    plugin: &Path,
    cache: Option<&Path>,
    workload: &Workload,
    mut progress: impl FnMut(u32),
) -> Result<Report, HarnessError> {
    let harness = Harness::load(plugin, cache)?;
    let envelope = Envelope {
        helo: "client.example".to_owned(),
        from: "alice@client.example".to_owned(),
        to: vec!["bob@example.org".to_owned()],
    };
    let mut fresh = Vec::new();
    let mut warm: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
    let mut failures = 0;
    for number in 0..workload.sessions {
        progress(number);
        let mut session = harness.open(&Table::new())?;
        mail::send_repeatedly(
            &mut session,
            &envelope,
            &workload.message,
            workload.messages,
        );
        let calls = session.take_calls();
        failures += calls
            .iter()
            .filter(|call| call.answer.get("error").is_some())
            .count();
        let mut times = calls
            .iter()
            .map(|call: &Call| (position(call.event), call.elapsed));
        fresh.extend(times.next().map(|(_, elapsed)| elapsed));
        for (event, elapsed) in times {
            warm.entry(event).or_default().push(elapsed);
        }
    }
    let first = ("first call".to_owned(), fresh);
    let warm = warm
        .into_iter()
        .map(|(event, times)| (Event::ALL[event].name().to_owned(), times));
    Ok(Report {
        events: std::iter::once(first)
            .chain(warm)
            .filter_map(|(name, times)| Some((name, CallStatistics::of(times)?)))
            .collect(),
        failures,
    })
}

/// Returns the position of an event in the order of a session.
fn position(event: Event) -> usize {
    // `ALL` has every event, so the default is never used.
    Event::ALL
        .into_iter()
        .position(|other| other == event)
        .unwrap_or_default()
}

/// The default message.
pub const MESSAGE: &[u8] = b"From: alice@client.example\r\n\
    To: bob@example.org\r\n\
    Subject: lunch\r\n\
    Date: Mon, 02 Nov 2026 11:00:00 +0000\r\n\
    Message-ID: <lunch@client.example>\r\n\
    \r\n\
    at noon?\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_durations() {
        let times = (1..=200).rev().map(Duration::from_micros).collect();
        let statistics = CallStatistics::of(times).unwrap();
        let micros = |duration: Duration| duration.as_micros();
        assert_eq!(
            (
                statistics.calls,
                micros(statistics.p50),
                micros(statistics.p99),
                micros(statistics.max)
            ),
            (200, 101, 199, 200)
        );
        assert_eq!(CallStatistics::of(Vec::new()), None);
    }
}
