//! `postgate plugin replay`: compares the answers of a plugin with a recording.

use std::path::PathBuf;

use crate::devkit::harness::Harness;
use clap::Args;
use postgate_runtime::recording::{Difference, Recording, ReplayReport};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::commands::failure::Failure;
use crate::commands::output::print;
use crate::telemetry;

/// Replay recorded sessions with another build of a plugin, and print different answers.
///
/// A gateway records the sessions of a plugin whose sidecar says `record = "DIRECTORY"`, and `plugin test
/// --record` those that it runs. The build under test gets the recorded DNS answers, times and random
/// octets. AUTH is left out, since a recording has no credentials.
#[derive(Args, Debug)]
pub(in crate::commands) struct Arguments {
    /// The plugin to test: a `.wasm` file, with its settings in the file beside it.
    plugin: PathBuf,
    /// Recordings: `.jsonl` files.
    #[arg(required = true)]
    recordings: Vec<PathBuf>,
    /// Write one JSON object for each recording, for programs.
    #[arg(long)]
    json: bool,
    /// The directory for compiled code, which makes the next run start sooner.
    #[arg(long, value_name = "DIRECTORY")]
    cache: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    telemetry::start_for_tools(LevelFilter::INFO);
    let harness = Harness::load(&arguments.plugin, arguments.cache.as_deref())
        .map_err(|error| Failure::input(vec![error]))?;
    let mut differences = 0;
    for file in &arguments.recordings {
        let recording = Recording::load(file).map_err(|error| Failure::input(vec![error]))?;
        let replayed = harness.replay(&recording);
        differences += replayed.differences.len();
        let name = file.display().to_string();
        match arguments.json {
            true => print(format_args!("{}\n", value(&name, &replayed)))?,
            false => print_replayed(&name, &replayed)?,
        }
    }
    match differences {
        0 => Ok(()),
        1 => Err(Failure::runtime("the plugin answers otherwise once")),
        count => Err(Failure::runtime(format!(
            "the plugin answers otherwise {count} times"
        ))),
    }
}

fn print_replayed(name: &str, replayed: &ReplayReport) -> Result<(), Failure> {
    let ReplayReport {
        calls,
        differences,
        skipped,
        missing,
    } = replayed;
    let different = differences.len();
    print(format_args!(
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
        print(format_args!(
            "  {call} {event} {subject}\n    - {recorded}\n    + {now}\n"
        ))?;
    }
    for question in missing {
        print(format_args!("  not in the recording: {question}\n"))?;
    }
    for why in skipped {
        print(format_args!("  left out: {why}\n"))?;
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
