//! `postgate plugin replay`: what another build of a plugin would have answered.

use std::path::PathBuf;

use crate::devkit::harness::Harness;
use clap::Args;
use postgate_runtime::recording::{Difference, Recording, ReplayReport};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::commands::{Failure, say};
use crate::telemetry;

/// Show recorded sessions to another build of a plugin, and say where it answers otherwise.
///
/// A gateway records the sessions of a plugin whose sidecar says `record = "DIRECTORY"`, and `plugin test
/// --record` those that it plays. The build that is tried sees what the recorded one saw, down to the
/// answers of the Domain Name System, the time, and random octets. AUTH is left out: a recording holds
/// no credentials.
#[derive(Args, Debug)]
pub(in crate::commands) struct Arguments {
    /// The plugin to try: a `.wasm` file. The file beside it holds.
    plugin: PathBuf,
    /// Recordings: `.jsonl` files.
    #[arg(required = true)]
    recordings: Vec<PathBuf>,
    /// Write one JSON object for each recording, for programs.
    #[arg(long)]
    json: bool,
    /// Where compiled code is kept, so that the next run begins sooner.
    #[arg(long, value_name = "DIRECTORY")]
    cache: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    telemetry::start_for_tools(LevelFilter::INFO);
    let harness = Harness::load(&arguments.plugin, arguments.cache.as_deref())
        .map_err(|error| Failure::mistakes(vec![error]))?;
    let mut differences = 0;
    for file in &arguments.recordings {
        let recording = Recording::load(file).map_err(|error| Failure::mistakes(vec![error]))?;
        let replayed = harness.replay(&recording);
        differences += replayed.differences.len();
        let name = file.display().to_string();
        match arguments.json {
            true => say(format_args!("{}\n", value(&name, &replayed)))?,
            false => say_replayed(&name, &replayed)?,
        }
    }
    match differences {
        0 => Ok(()),
        1 => Err(Failure::run_time("the plugin answers otherwise once")),
        count => Err(Failure::run_time(format!(
            "the plugin answers otherwise {count} times"
        ))),
    }
}

fn say_replayed(name: &str, replayed: &ReplayReport) -> Result<(), Failure> {
    let ReplayReport {
        calls,
        differences,
        skipped,
        missing,
    } = replayed;
    let different = differences.len();
    say(format_args!(
        "{name}: {calls} calls, {different} answered otherwise\n"
    ))?;
    for Difference {
        call,
        event,
        subject,
        recorded,
        now,
    } in differences
    {
        say(format_args!(
            "  {call} {event} {subject}\n    - {recorded}\n    + {now}\n"
        ))?;
    }
    for question in missing {
        say(format_args!("  not in the recording: {question}\n"))?;
    }
    for why in skipped {
        say(format_args!("  left out: {why}\n"))?;
    }
    Ok(())
}

fn value(name: &str, replayed: &ReplayReport) -> Value {
    let differences = replayed.differences.iter().map(|difference| {
        json!({
            "call": difference.call,
            "event": difference.event,
            "subject": difference.subject,
            "recorded": difference.recorded,
            "now": difference.now,
        })
    });
    json!({
        "recording": name,
        "calls": replayed.calls,
        "differences": differences.collect::<Vec<_>>(),
        "missing": replayed.missing,
        "skipped": replayed.skipped,
    })
}
