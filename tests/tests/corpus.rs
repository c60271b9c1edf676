//! Many command lines, each in a session of its own, against the core and over TCP.

use std::path::Path;

use postgate_tests::backend::Backend;
use postgate_tests::dialog::Dialog;
use postgate_tests::gateway::{Setup, repository};
use postgate_tests::player::core::Core;
use postgate_tests::player::play;
use postgate_tests::player::wire::Wire;

#[test]
fn command_lines_against_the_core() {
    let mut mismatches = Vec::new();
    for dialog in dialogs() {
        for size in [1, usize::MAX] {
            mismatches.extend(play(&dialog, &mut Core::new(&dialog, || size)).err());
        }
    }
    report(&mismatches);
}

#[test]
fn command_lines_over_tcp() {
    let dialogs = dialogs();
    let backend = Backend::working();
    let setup = Setup::new().backend(&backend.smtp());
    let mut gateway = setup.dialog_settings(&dialogs[0].settings).start();
    let mut mismatches = Vec::new();
    // What a backend makes of a binary body is its own affair.
    let played = dialogs
        .iter()
        .filter(|dialog| !dialog.name.contains("BINARYMIME;"));
    for dialog in played {
        mismatches.extend(play(dialog, &mut Wire::connect(gateway.address())).err());
    }
    assert!(gateway.is_up());
    // Its log says nothing about a mismatch.
    drop(gateway);
    report(&mismatches);
}

fn report(mismatches: &[impl ToString]) {
    let shown: Vec<_> = mismatches.iter().map(ToString::to_string).collect();
    assert!(
        shown.is_empty(),
        "{} mismatches\n\n{}",
        shown.len(),
        shown.join("\n\n")
    );
}

/// A dialog for each row of `corpus/commands.txt`.
fn dialogs() -> Vec<Dialog> {
    let file = repository().join("tests/corpus/commands.txt");
    let text = std::fs::read_to_string(&file).expect("the corpus");
    let mut before = "";
    let mut dialogs = Vec::new();
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(commands) = line.strip_prefix('[') {
            before = commands.trim_end_matches(']');
            continue;
        }
        let row = line.split_once("  ");
        let (reply, command) = row.unwrap_or_else(|| panic!("no reply in {line}"));
        dialogs.push(dialog(&file, before, reply, command));
    }
    assert!(dialogs.len() > 200, "{} rows", dialogs.len());
    dialogs
}

fn dialog(file: &Path, before: &str, reply: &str, command: &str) -> Dialog {
    let said: String = before
        .split("; ")
        .filter(|command| !command.is_empty())
        .map(|command| format!("C: {command}\nS* 250\n"))
        .collect();
    let command_line = match command.starts_with('"') {
        true => format!("C~ {command} \"\\r\\n\""),
        false => format!("C: {command}"),
    };
    let text = format!(
        "@listener.auth = \"optional\"\n@listener.auth-in-clear = true\n\
         == {before}; {command}\nS* 220\nC: EHLO client.example\nS* 250\n\
         {said}{command_line}\nS: {reply}…\n"
    );
    let mut dialogs =
        Dialog::parse(file, &text).unwrap_or_else(|error| panic!("{command}: {error}"));
    dialogs.remove(0)
}
