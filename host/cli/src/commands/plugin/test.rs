//! `postgate plugin test`: tests a plugin with dialogs and messages, without a running gateway.

use std::fs;
use std::path::{Path, PathBuf};

use crate::devkit::HarnessSession;
use crate::devkit::call::Call;
use crate::devkit::error::HarnessError;
use crate::devkit::harness::Harness;
use crate::devkit::mail::{self, Envelope};
use clap::Args;
use postgate_dialog::play::play;
use postgate_dialog::{Dialog, Scope};
use serde_json::json;
use toml::Table;
use tracing::level_filters::LevelFilter;

use crate::commands::failure::Failure;
use crate::commands::output::print;
use crate::telemetry;

/// Test a plugin with conversations and messages, without a running gateway.
///
/// The plugin runs as in a gateway, with the limits and grants of the file beside it, and with a backend
/// that accepts everything for example.org. A `.smtp` file has conversations: the lines of the client,
/// and the expected replies. An `.eml` file is one message: the command prints the plugin's answer to
/// each event, and its changes as a diff. The plugin's own log goes to standard error.
#[derive(Args, Debug)]
pub(in crate::commands) struct Arguments {
    /// The plugin: a `.wasm` file.
    plugin: PathBuf,
    /// `.smtp` and `.eml` files, and directories of them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The client's address.
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
    /// A recipient, for `.eml` files. Can be given several times.
    #[arg(long, value_name = "ADDRESS", default_value = "bob@example.org")]
    to: Vec<String>,
    /// The user as whom the client is authenticated when the session begins.
    #[arg(long, value_name = "USER")]
    auth: Option<String>,
    /// Print all calls of the plugin, also for dialogs that pass.
    #[arg(long, short)]
    verbose: bool,
    /// Record each session into a file in this directory, for `postgate plugin replay`.
    #[arg(long, value_name = "DIRECTORY")]
    record: Option<PathBuf>,
    /// Write one JSON object a line, for programs.
    #[arg(long)]
    json: bool,
    /// The directory for compiled code, which makes the next run start sooner.
    #[arg(long, value_name = "DIRECTORY")]
    cache: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    telemetry::start_for_tools(LevelFilter::INFO);
    let files = files(&arguments.files)?;
    let mut harness = Harness::load(&arguments.plugin, arguments.cache.as_deref())
        .map_err(|error| Failure::input(vec![error]))?;
    if let Some(directory) = &arguments.record {
        if !directory.is_dir() {
            let reason = format!(
                "{}: is not a directory; create it first",
                directory.display()
            );
            return Err(Failure::Input(vec![reason.into()]));
        }
        harness.record_into(directory);
    }
    let mut totals = Totals::default();
    for file in &files {
        match has_extension(file, "eml") {
            true => message(&harness, arguments, file, &mut totals)?,
            false => dialogs(&harness, arguments, file, &mut totals)?,
        }
    }
    totals.report(arguments.json)
}

/// The results of all files.
#[derive(Default)]
struct Totals {
    dialogs: usize,
    /// The dialogs with a mismatch.
    wrong: usize,
    messages: usize,
    /// The messages that were not accepted.
    refused: usize,
    /// The calls in which the plugin has failed.
    failures: usize,
}

impl Totals {
    fn count(&mut self, calls: &[Call]) {
        let failed = |call: &&Call| call.answer.get("error").is_some();
        self.failures += calls.iter().filter(failed).count();
    }

    /// Prints the totals. Fails if a dialog did not pass, or the plugin has failed.
    fn report(&self, json: bool) -> Result<(), Failure> {
        let Self {
            dialogs,
            wrong,
            messages,
            refused,
            failures,
        } = self;
        match json {
            true => print(format_args!(
                "{}\n",
                json!({
                    "dialogs": dialogs, "wrong": wrong, "messages": messages, "refused": refused,
                    "failures": failures,
                })
            ))?,
            false => {
                if *dialogs > 0 {
                    print(format_args!(
                        "{}, {wrong} not as written\n",
                        count(*dialogs, "dialog")
                    ))?;
                }
                if *messages > 0 {
                    print(format_args!(
                        "{}, {refused} not taken\n",
                        count(*messages, "message")
                    ))?;
                }
            }
        }
        match (*wrong, *failures) {
            (0, 0) => Ok(()),
            (0, failures) => Err(Failure::runtime(format!(
                "the plugin failed {failures} times"
            ))),
            (wrong, _) => Err(Failure::runtime(format!(
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
    totals: &mut Totals,
) -> Result<(), Failure> {
    let dialogs = Dialog::load(file).map_err(|error| Failure::input(vec![error]))?;
    // Scripted answers are for tests of the protocol. Here the plugin answers.
    let is_scripted = |dialog: &&Dialog| dialog.script().next().is_some();
    let dialogs = dialogs.iter().filter(|dialog| !is_scripted(dialog));
    for dialog in dialogs.filter(|dialog| dialog.scope != Scope::Core) {
        let mut settings = client(arguments);
        settings.extend(dialog.settings.clone());
        let mut session = open(harness, &settings, file)?;
        let played = play(dialog, &mut session);
        session.finish();
        let calls = session.take_calls();
        totals.dialogs += 1;
        totals.wrong += usize::from(played.is_err());
        totals.count(&calls);
        if arguments.json {
            let calls = calls.iter().map(Call::json).collect::<Vec<_>>();
            let mismatch = played.err().map(|mismatch| mismatch.to_string());
            print(format_args!(
                "{}\n",
                json!({ "dialog": dialog.to_string(), "mismatch": mismatch, "calls": calls })
            ))?;
            continue;
        }
        let is_wrong = played.is_err();
        match played {
            Ok(()) => print(format_args!("ok       {dialog}\n"))?,
            Err(mismatch) => print(format_args!("WRONG    {mismatch}\n"))?,
        }
        if is_wrong || arguments.verbose {
            print_calls(&calls)?;
        }
    }
    Ok(())
}

fn message(
    harness: &Harness,
    arguments: &Arguments,
    file: &Path,
    totals: &mut Totals,
) -> Result<(), Failure> {
    let octets = fs::read(file).map_err(|error| Failure::file(file, error))?;
    let mut session = open(harness, &client(arguments), file)?;
    let envelope = Envelope {
        helo: arguments.helo.clone(),
        from: arguments.from.clone(),
        to: arguments.to.clone(),
    };
    let outcome = mail::send(&mut session, &envelope, &octets);
    totals.messages += 1;
    totals.refused += usize::from(!outcome.accepted);
    totals.count(&outcome.calls);
    if arguments.json {
        let name = file.display().to_string();
        return print(format_args!("{}\n", outcome.json(&name)));
    }
    let what = match (outcome.accepted, &outcome.delivered) {
        (true, Some(_)) => "taken   ",
        (true, None) => "dropped ",
        (false, _) => "refused ",
    };
    print(format_args!(
        "{what} {}: {}\n",
        file.display(),
        outcome.reply
    ))?;
    print_calls(&outcome.calls)?;
    print(&outcome.diff)
}

fn open<'a>(
    harness: &'a Harness,
    settings: &Table,
    file: &Path,
) -> Result<HarnessSession<'a>, Failure> {
    harness.open(settings).map_err(|error| {
        let file = file.to_owned();
        Failure::input(vec![OpenError { file, error }])
    })
}

/// The session for a file cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", file.display())]
struct OpenError {
    file: PathBuf,
    #[source]
    error: HarnessError,
}

fn print_calls(calls: &[Call]) -> Result<(), Failure> {
    for line in calls.iter().flat_map(Call::lines) {
        print(format_args!("{line}\n"))?;
    }
    Ok(())
}

/// Returns the client of the flags in the format of the settings of a dialog.
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

/// Returns the named files, and those in the named directories in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let is_test = |path: &Path| has_extension(path, "smtp") || has_extension(path, "eml");
    let mut files = Vec::new();
    for path in paths {
        let cannot_read = |error| Failure::file(path, error);
        if path.is_dir() {
            let mut entries = Vec::new();
            for entry in fs::read_dir(path).map_err(cannot_read)? {
                let path = entry.map_err(cannot_read)?.path();
                if is_test(&path) {
                    entries.push(path);
                }
            }
            entries.sort();
            files.extend(entries);
        } else if is_test(path) {
            files.push(path.clone());
        } else {
            let reason = format!("{}: neither an .smtp nor an .eml file", path.display());
            return Err(Failure::Input(vec![reason.into()]));
        }
    }
    Ok(files)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
