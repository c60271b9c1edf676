//! `postgate plugin bench`: measures the cost of a plugin.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::devkit::bench::{self, CallStatistics, Workload};
use clap::Args;
use serde_json::json;

use crate::commands::failure::Failure;
use crate::commands::output::print;

/// Measure what a plugin costs: calls per second and latency for each event.
///
/// Runs one session after the other in this process, without a network, so that the time is that of the
/// plugin and of the gateway around it. The first call of each session creates the instance, and has
/// a row of its own.
#[derive(Args, Debug)]
pub(in crate::commands) struct Arguments {
    /// The plugin: a `.wasm` file.
    plugin: PathBuf,
    /// The number of sessions.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    sessions: u32,
    /// The number of messages in each session.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    messages: u32,
    /// The message. The default is one of a few lines.
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
    /// Write one JSON object, for programs.
    #[arg(long)]
    json: bool,
    /// The directory for compiled code, which makes the next run start sooner.
    #[arg(long, value_name = "DIRECTORY")]
    cache: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let message = match &arguments.message {
        None => bench::MESSAGE.to_vec(),
        Some(file) => std::fs::read(file).map_err(|error| Failure::file(file, error))?,
    };
    let workload = Workload {
        sessions: arguments.sessions,
        messages: arguments.messages,
        message,
    };
    let mut progress = Progress::to(workload.sessions);
    let report = bench::run(
        &arguments.plugin,
        arguments.cache.as_deref(),
        &workload,
        |number| progress.show(number),
    )
    .map_err(|error| Failure::input(vec![error]))?;
    if arguments.json {
        let events: Vec<_> = report.events.iter().map(row).collect();
        return print(format_args!(
            "{}\n",
            json!({ "sessions": workload.sessions, "events": events, "failures": report.failures })
        ));
    }
    print("event          calls  calls/s        p50        p99        max\n")?;
    for (name, statistics) in &report.events {
        print(format_args!(
            "{name:<11} {:>8} {:>8.0} {:>10.1?} {:>10.1?} {:>10.1?}\n",
            statistics.calls,
            statistics.per_second(),
            statistics.p50,
            statistics.p99,
            statistics.max,
        ))?;
    }
    match report.failures {
        0 => Ok(()),
        failures => Err(Failure::runtime(format!(
            "the plugin failed {failures} times"
        ))),
    }
}

/// Shows on a terminal how far the benchmark is, once a second.
struct Progress {
    sessions: u32,
    /// When it was shown last, or `None` if nobody looks.
    shown: Option<Instant>,
}

impl Progress {
    fn to(sessions: u32) -> Self {
        let is_watched = io::stderr().is_terminal();
        Self {
            sessions,
            shown: is_watched.then(Instant::now),
        }
    }

    fn show(&mut self, number: u32) {
        if let Some(shown) = &mut self.shown
            && shown.elapsed() >= Duration::from_secs(1)
        {
            *shown = Instant::now();
            eprintln!("{number} of {} sessions", self.sessions);
        }
    }
}

fn row((name, statistics): &(String, CallStatistics)) -> serde_json::Value {
    json!({
        "event": name,
        "calls": statistics.calls,
        "calls-per-second": statistics.per_second(),
        "p50-microseconds": statistics.p50.as_secs_f64() * 1e6,
        "p99-microseconds": statistics.p99.as_secs_f64() * 1e6,
        "max-microseconds": statistics.max.as_secs_f64() * 1e6,
    })
}
