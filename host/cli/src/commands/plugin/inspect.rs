//! `postgate plugin inspect`: prints the events, imports and limits of a plugin without running it.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use postgate::metrics::Metrics;
use postgate_config::Plugins;
use postgate_config::sidecar::Sidecar;
use postgate_contract::Event;
use postgate_dns::Dns;
use postgate_runtime::{Inspection, Printable, Runtime, RuntimeSettings};
use serde_json::{Value, json};
use tokio::runtime;

use crate::commands::failure::Failure;
use crate::commands::output::print;
use crate::own_compiler::own_compiler;

/// Print the events, imports and limits of a plugin.
///
/// The plugin is compiled, but not run. The grants and limits are those of the file beside it, if there
/// is one.
#[derive(Args, Debug)]
pub(in crate::commands) struct Arguments {
    /// The plugin: a `.wasm` file.
    file: PathBuf,
    /// Write one JSON object, for programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = &arguments.file;
    let sidecar = Sidecar::load_beside(file).map_err(Failure::input)?;
    let tokio = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::runtime)?;
    let inspection = tokio.block_on(async {
        let plugins = Plugins {
            instances: Some(1),
            compiler: Some(own_compiler()),
            ..Plugins::default()
        };
        let metrics = Metrics::new().plugins().clone();
        let runtime = Runtime::new(RuntimeSettings::of(&plugins), Dns::default(), metrics);
        let runtime = runtime.map_err(Failure::runtime)?;
        let inspection = postgate_runtime::inspect(&runtime, file, u64::MAX).await;
        inspection.map_err(|error| Failure::plugins(vec![error]))
    })?;
    match arguments.json {
        true => print(format_args!("{}\n", value(&inspection, &sidecar))),
        false => print(InspectionReport(&inspection, &sidecar)),
    }
}

fn value(inspection: &Inspection, sidecar: &Sidecar) -> Value {
    let grants: Vec<_> = sidecar.grants.iter().map(|grant| grant.name()).collect();
    json!({
        "size": inspection.size,
        "sha256": inspection.sha256,
        "events": inspection.events,
        "imports": inspection.imports,
        "refused": inspection.refused,
        "needs": inspection.grants,
        "granted": grants,
        "initial-memory": inspection.memory,
    })
}

struct InspectionReport<'a>(&'a Inspection, &'a Sidecar);

impl fmt::Display for InspectionReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(inspection, Sidecar { grants, limits, .. }) = self;
        writeln!(f, "size      {} octets", inspection.size)?;
        writeln!(f, "sha256    {}", inspection.sha256)?;
        let events = LIFECYCLE.into_iter().chain(Event::ALL.map(Event::name));
        let exported = |name: &&str| inspection.events.iter().any(|event| event == name);
        let events: Vec<&str> = events.filter(exported).collect();
        writeln!(f, "events    {}", Words(&events))?;
        let shown = |names: &[String]| Printable(Words(names).to_string());
        writeln!(f, "imports   {}", shown(&inspection.imports))?;
        writeln!(f, "refused   {}", shown(&inspection.refused))?;
        writeln!(f, "needs     {}", Words(&inspection.grants))?;
        let granted: Vec<&str> = grants.iter().map(|grant| grant.name()).collect();
        writeln!(f, "granted   {}", Words(&granted))?;
        if let Some(memory) = inspection.memory {
            let (memory, most) = (Octets(memory), Octets(limits.memory.into()));
            writeln!(f, "memory    {memory} to begin with, {most} at most")?;
        }
        writeln!(
            f,
            "cpu       {:?} an event, {:?} a message",
            limits.cpu, limits.message_cpu
        )?;
        writeln!(
            f,
            "wall      {:?} an event, {:?} a message",
            limits.wall, limits.message_wall
        )
    }
}

/// Formats a list in one line.
struct Words<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Words<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else {
            return f.write_str("none");
        };
        write!(f, "{first}")?;
        rest.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

/// Formats a size in MiB or KiB.
struct Octets(u64);

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            octets if octets % (1 << 20) == 0 => write!(f, "{} MiB", octets >> 20),
            octets => write!(f, "{} KiB", octets.div_ceil(1 << 10)),
        }
    }
}

/// The events of a plugin that do not belong to a session.
const LIFECYCLE: [&str; 2] = ["init", "self-test"];
