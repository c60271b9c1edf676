//! What a plugin costs, event by event.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use toml::Table;

use super::call::Call;
use super::harness::{Harness, HarnessError};
use super::mail::{self, Envelope};
use postgate_contract::Event;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many sessions are played.
    pub sessions: u32,
    /// How many messages each of them sends.
    pub messages: u32,
    /// The message.
    pub message: Vec<u8>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The figures of each event that the plugin handles, in the order of a session; before them those
    /// of the first call of each session, which makes the instance.
    pub events: Vec<(String, Figures)>,
    /// How many calls failed.
    pub failures: usize,
}

/// How long calls took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// How many there were; at least one.
    pub calls: usize,
    /// All of them together.
    pub total: Duration,
    /// The median.
    pub p50: Duration,
    /// As long as 99 of 100 took at most.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Figures {
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

    /// How many calls a processor can do in a second.
    pub fn per_second(&self) -> f64 {
        self.calls as f64 / self.total.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Plays the plan against a plugin.
///
/// # Errors
///
/// Every reason why a gateway would not load it.
pub fn run(plugin: &Path, cache: Option<&Path>, plan: &Plan) -> Result<Report, HarnessError> {
    let harness = Harness::load(plugin, cache)?;
    let envelope = Envelope {
        helo: "client.example".to_owned(),
        from: "alice@client.example".to_owned(),
        to: vec!["bob@example.org".to_owned()],
    };
    let mut fresh = Vec::new();
    let mut warm: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
    let mut failures = 0;
    for _ in 0..plan.sessions {
        let mut session = harness.open(&Table::new())?;
        mail::send_again(&mut session, &envelope, &plan.message, plan.messages);
        let calls = session.take_calls();
        failures += calls
            .iter()
            .filter(|call| call.answer.get("error").is_some())
            .count();
        let mut times = calls
            .iter()
            .map(|call: &Call| (place(call.event), call.elapsed));
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
            .filter_map(|(name, times)| Some((name, Figures::of(times)?)))
            .collect(),
        failures,
    })
}

fn place(event: Event) -> usize {
    // Every event is among all of them.
    Event::ALL
        .into_iter()
        .position(|other| other == event)
        .unwrap_or_default()
}

/// A small message.
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
    fn figures_of_a_few_times() {
        let times = (1..=200).rev().map(Duration::from_micros).collect();
        let figures = Figures::of(times).unwrap();
        let micros = |duration: Duration| duration.as_micros();
        assert_eq!(
            (
                figures.calls,
                micros(figures.p50),
                micros(figures.p99),
                micros(figures.max)
            ),
            (200, 101, 199, 200)
        );
        assert_eq!(Figures::of(Vec::new()), None);
    }
}
