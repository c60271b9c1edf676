//! `postgate plugin bench`: what a plugin costs.

use std::path::PathBuf;

use crate::devkit::bench::{self, Figures, Plan};
use clap::Args;
use serde_json::json;

use crate::commands::{Failure, say};

/// Measure what a plugin costs: calls per second and latency for each event.
///
/// One session after the other sends a message, in this process and without a network, so that the
/// time is that of the plugin and of the gateway around it. The first call of each session makes a
/// fresh instance; it stands in a row of its own.
#[derive(Args, Debug)]
pub(in crate::commands) struct Arguments {
    /// The plugin: a `.wasm` file.
    plugin: PathBuf,
    /// How many sessions are played.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    sessions: u32,
    /// How many messages each session sends.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    messages: u32,
    /// The message; without it, one of a few lines.
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
    /// Write one JSON object, for programs.
    #[arg(long)]
    json: bool,
    /// Where compiled code is kept, so that the next run begins sooner.
    #[arg(long, value_name = "DIRECTORY")]
    cache: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let message = match &arguments.message {
        None => bench::MESSAGE.to_vec(),
        Some(file) => std::fs::read(file)
            .map_err(|error| Failure::run_time(format!("{}: {error}", file.display())))?,
    };
    let plan = Plan {
        sessions: arguments.sessions,
        messages: arguments.messages,
        message,
    };
    let report = bench::run(&arguments.plugin, arguments.cache.as_deref(), &plan)
        .map_err(|error| Failure::mistakes(vec![error]))?;
    if arguments.json {
        let events: Vec<_> = report.events.iter().map(row).collect();
        return say(format_args!(
            "{}\n",
            json!({ "sessions": plan.sessions, "events": events, "failures": report.failures })
        ));
    }
    say("event          calls  calls/s        p50        p99        max\n")?;
    for (name, figures) in &report.events {
        say(format_args!(
            "{name:<11} {:>8} {:>8.0} {:>10.1?} {:>10.1?} {:>10.1?}\n",
            figures.calls,
            figures.per_second(),
            figures.p50,
            figures.p99,
            figures.max,
        ))?;
    }
    match report.failures {
        0 => Ok(()),
        failures => Err(Failure::run_time(format!(
            "the plugin failed {failures} times"
        ))),
    }
}

fn row((name, figures): &(String, Figures)) -> serde_json::Value {
    json!({
        "event": name,
        "calls": figures.calls,
        "calls-per-second": figures.per_second(),
        "p50-microseconds": figures.p50.as_secs_f64() * 1e6,
        "p99-microseconds": figures.p99.as_secs_f64() * 1e6,
        "max-microseconds": figures.max.as_secs_f64() * 1e6,
    })
}
