//! `postgate plugin test`: dialogs and messages against a plugin, without a gateway.

use std::fs;
use std::path::{Path, PathBuf};

use crate::devkit::HarnessSession;
use crate::devkit::call::Call;
use crate::devkit::harness::Harness;
use crate::devkit::mail::{self, Envelope};
use clap::Args;
use postgate_dialog::play::play;
use postgate_dialog::{Dialog, Scope};
use serde_json::json;
use toml::Table;
use tracing::level_filters::LevelFilter;

use crate::commands::{Failure, say};
use crate::telemetry;

/// Play conversations and messages against a plugin, without a running gateway.
///
/// The plugin runs as in a gateway, under the limits and with the grants of the file beside it, in
/// front of a backend that takes everything for example.org. A `.smtp` file holds conversations:
/// what the client says, and what it must hear. An `.eml` file is one message: what the plugin
/// answered at each event is shown, and what it changed, as a diff. The plugin's own log goes to
/// standard error.
#[derive(Args, Debug)]
pub(in crate::commands) struct Arguments {
    /// The plugin: a `.wasm` file.
    plugin: PathBuf,
    /// `.smtp` and `.eml` files, and directories of them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where clients connect from.
    #[arg(long, value_name = "ADDRESS", default_value = "192.0.2.1")]
    client_ip: String,
    /// The client's name by reverse DNS.
    #[arg(long, value_name = "NAME")]
    client_host: Option<String>,
    /// The name in EHLO, for `.eml` files.
    #[arg(long, value_name = "NAME", default_value = "client.example")]
    helo: String,
    /// The sender, for `.eml` files; empty for the null reverse-path.
    #[arg(long, value_name = "ADDRESS", default_value = "alice@client.example")]
    from: String,
    /// A recipient, for `.eml` files; more than once for several.
    #[arg(long, value_name = "ADDRESS", default_value = "bob@example.org")]
    to: Vec<String>,
    /// The user who has authenticated before the session begins.
    #[arg(long, value_name = "USER")]
    auth: Option<String>,
    /// Show every call of the plugin, also where a dialog goes as written.
    #[arg(long, short)]
    verbose: bool,
    /// Record each session into a file in this directory, for `postgate plugin replay`.
    #[arg(long, value_name = "DIRECTORY")]
    record: Option<PathBuf>,
    /// Write one JSON object a line, for programs.
    #[arg(long)]
    json: bool,
    /// Where compiled code is kept, so that the next run begins sooner.
    #[arg(long, value_name = "DIRECTORY")]
    cache: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    telemetry::start_for_tools(LevelFilter::INFO);
    let files = files(&arguments.files)?;
    let mut harness = Harness::load(&arguments.plugin, arguments.cache.as_deref())
        .map_err(|error| Failure::mistakes(vec![error]))?;
    if let Some(directory) = &arguments.record {
        if !directory.is_dir() {
            let reason = format!("{}: no directory; make it first", directory.display());
            return Err(Failure::Mistakes(vec![reason.into()]));
        }
        harness.record_into(directory);
    }
    let mut tally = Tally::default();
    for file in &files {
        match is(file, "eml") {
            true => message(&harness, arguments, file, &mut tally)?,
            false => dialogs(&harness, arguments, file, &mut tally)?,
        }
    }
    tally.finish(arguments.json)
}

/// What came of everything that was played.
#[derive(Default)]
struct Tally {
    dialogs: usize,
    wrong: usize,
    messages: usize,
    refused: usize,
    failures: usize,
}

impl Tally {
    fn count(&mut self, calls: &[Call]) {
        let failed = |call: &&Call| call.answer.get("error").is_some();
        self.failures += calls.iter().filter(failed).count();
    }

    fn finish(&self, json: bool) -> Result<(), Failure> {
        let Self {
            dialogs,
            wrong,
            messages,
            refused,
            failures,
        } = self;
        match json {
            true => say(format_args!(
                "{}\n",
                json!({
                    "dialogs": dialogs, "wrong": wrong, "messages": messages, "refused": refused,
                    "failures": failures,
                })
            ))?,
            false => {
                if *dialogs > 0 {
                    say(format_args!(
                        "{}, {wrong} not as written\n",
                        count(*dialogs, "dialog")
                    ))?;
                }
                if *messages > 0 {
                    say(format_args!(
                        "{}, {refused} not taken\n",
                        count(*messages, "message")
                    ))?;
                }
            }
        }
        match (*wrong, *failures) {
            (0, 0) => Ok(()),
            (0, failures) => Err(Failure::run_time(format!(
                "the plugin failed {failures} times"
            ))),
            (wrong, _) => Err(Failure::run_time(format!(
                "{wrong} dialogs did not go as written"
            ))),
        }
    }
}

fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

fn dialogs(
    harness: &Harness,
    arguments: &Arguments,
    file: &Path,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let dialogs = Dialog::load(file).map_err(|error| Failure::mistakes(vec![error]))?;
    for dialog in dialogs.iter().filter(|dialog| dialog.scope != Scope::Core) {
        let mut settings = client(arguments);
        settings.extend(dialog.settings.clone());
        let mut session = open(harness, &settings, file)?;
        let played = play(dialog, &mut session);
        session.finish();
        let calls = session.take_calls();
        tally.dialogs += 1;
        tally.wrong += usize::from(played.is_err());
        tally.count(&calls);
        if arguments.json {
            let calls = calls.iter().map(Call::json).collect::<Vec<_>>();
            let mismatch = played.err().map(|mismatch| mismatch.to_string());
            say(format_args!(
                "{}\n",
                json!({ "dialog": dialog.to_string(), "mismatch": mismatch, "calls": calls })
            ))?;
            continue;
        }
        let is_wrong = played.is_err();
        match played {
            Ok(()) => say(format_args!("ok       {dialog}\n"))?,
            Err(mismatch) => say(format_args!("WRONG    {mismatch}\n"))?,
        }
        if is_wrong || arguments.verbose {
            say_calls(&calls)?;
        }
    }
    Ok(())
}

fn message(
    harness: &Harness,
    arguments: &Arguments,
    file: &Path,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let octets = fs::read(file)
        .map_err(|error| Failure::run_time(format!("{}: {error}", file.display())))?;
    let mut session = open(harness, &client(arguments), file)?;
    let envelope = Envelope {
        helo: arguments.helo.clone(),
        from: arguments.from.clone(),
        to: arguments.to.clone(),
    };
    let outcome = mail::send(&mut session, &envelope, &octets);
    tally.messages += 1;
    tally.refused += usize::from(!outcome.taken);
    tally.count(&outcome.calls);
    if arguments.json {
        let name = file.display().to_string();
        return say(format_args!("{}\n", outcome.json(&name)));
    }
    let what = match (outcome.taken, &outcome.delivered) {
        (true, Some(_)) => "taken   ",
        (true, None) => "dropped ",
        (false, _) => "refused ",
    };
    say(format_args!(
        "{what} {}: {}\n",
        file.display(),
        outcome.reply
    ))?;
    say_calls(&outcome.calls)?;
    say(&outcome.diff)
}

fn open<'a>(
    harness: &'a Harness,
    settings: &Table,
    file: &Path,
) -> Result<HarnessSession<'a>, Failure> {
    harness
        .open(settings)
        .map_err(|error| Failure::Mistakes(vec![format!("{}: {error}", file.display()).into()]))
}

fn say_calls(calls: &[Call]) -> Result<(), Failure> {
    for line in calls.iter().flat_map(Call::lines) {
        say(format_args!("{line}\n"))?;
    }
    Ok(())
}

/// The client of the flags, as a dialog writes it.
fn client(arguments: &Arguments) -> Table {
    let mut client = Table::new();
    let mut set = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            client.insert(key.to_owned(), value.clone().into());
        }
    };
    set("ip", &Some(arguments.client_ip.clone()));
    set("host", &arguments.client_host);
    set("authenticated-as", &arguments.auth);
    Table::from_iter([("client".to_owned(), client.into())])
}

/// Every file that is named, and those in directories that are, in the order of their names.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named {
        let wrong = |error| Failure::run_time(format!("{}: {error}", path.display()));
        if path.is_dir() {
            let mut below = Vec::new();
            for entry in fs::read_dir(path).map_err(wrong)? {
                let path = entry.map_err(wrong)?.path();
                if is(&path, "smtp") || is(&path, "eml") {
                    below.push(path);
                }
            }
            below.sort();
            files.extend(below);
        } else if is(path, "smtp") || is(path, "eml") {
            files.push(path.clone());
        } else {
            let reason = format!("{}: neither an .smtp nor an .eml file", path.display());
            return Err(Failure::Mistakes(vec![reason.into()]));
        }
    }
    Ok(files)
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
