//! The tools for authors of plugins, as an author meets them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use postgate_tests::document::blocks_of;
use postgate_tests::gateway::{Gateway, Setup, guest_file, program, repository};
use postgate_tests::peer::{program as peer, run, swaks};
use serde_json::Value;
use tempfile::TempDir;

fn plugin(arguments: &[&str]) -> Output {
    run(program().arg("plugin").args(arguments))
}

fn said(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams
        .map(|stream| String::from_utf8_lossy(stream).into_owned())
        .concat()
}

/// The output of a command that must succeed.
fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    said(output)
}

/// A line of output for programs.
fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let parse =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A plugin with its sidecar in a directory of its own.
fn placed(guest: &str, sidecar: &str) -> (TempDir, String) {
    let place = TempDir::new().unwrap();
    let file = place.path().join("plugin.wasm");
    fs::copy(guest_file(guest), &file).unwrap();
    fs::write(place.path().join("plugin.toml"), sidecar).unwrap();
    let file = path(&file).to_owned();
    (place, file)
}

fn written(place: &TempDir, name: &str, text: &str) -> String {
    let file = place.path().join(name);
    fs::write(&file, text).unwrap();
    path(&file).to_owned()
}

/// Builds a new plugin with what the repository has compiled and locked already.
fn build(directory: &Path) {
    let lock = repository().join("Cargo.lock");
    fs::copy(lock, directory.join("Cargo.lock")).unwrap();
    let built = run(Command::new(directory.join("build"))
        .env("CARGO_TARGET_DIR", repository().join("target/guests"))
        .current_dir(directory));
    good(&built);
}

/// From nothing to a filter that works: the commands of the guide's first page say what it shows.
#[test]
fn a_newcomer_has_a_filter_that_works() {
    let page = repository().join("docs/plugins/first.md");
    let place = TempDir::new().unwrap();
    let directory = place.path().join("no-nobody");
    let mut gateway = None;
    for block in blocks_of(&page) {
        match block.language.as_str() {
            "console" => {
                for (command, shown) in commands(&block.text) {
                    let said = follow(&command, place.path(), &directory, &mut gateway);
                    is_shown(shown, &said);
                }
            }
            "eml" => fs::write(directory.join("lunch.eml"), &block.text).unwrap(),
            _ => {}
        }
    }
    let gateway = gateway.expect("the page ends at a gateway");
    good(&run(
        swaks(gateway.address()).args(["--to", "bob@example.org"])
    ));
}

/// The commands of a transcript, each with what is shown of its output.
fn commands(transcript: &str) -> Vec<(String, Vec<&str>)> {
    let mut commands: Vec<(String, Vec<&str>)> = Vec::new();
    for line in transcript.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((_, shown))) => shown.push(line),
            (None, None) => panic!("{line}: no command says that"),
        }
    }
    commands
}

/// Does what a newcomer would, and gives what was said.
fn follow(command: &str, place: &Path, directory: &Path, gateway: &mut Option<Gateway>) -> String {
    let words: Vec<_> = command.split(' ').collect();
    match words.as_slice() {
        ["cd", "no-nobody"] => String::new(),
        ["./build"] => {
            build(directory);
            String::new()
        }
        ["postgate", "plugin", "new", ..] => {
            good(&run(program().args(&words[1..]).current_dir(place)))
        }
        ["postgate", ..] => good(&run(program().args(&words[1..]).current_dir(directory))),
        ["swaks", arguments @ ..] => {
            let gateway = gateway.get_or_insert_with(|| {
                let component = fs::read(directory.join("no-nobody.wasm")).unwrap();
                let sidecar = fs::read_to_string(directory.join("no-nobody.toml")).unwrap();
                let setup = Setup::new().plugin_file("50-no-nobody", &component, &sidecar);
                setup.start()
            });
            let address = gateway.address().to_string();
            let arguments = arguments
                .iter()
                .map(|word| word.replace("127.0.0.1:2525", &address));
            said(&run(peer("swaks").args(arguments)))
        }
        _ => panic!("the page has a command that is not known here: {command}"),
    }
}

/// Whether the lines that a page shows are among those that were said, in their order; times differ.
fn is_shown(shown: Vec<&str>, said: &str) {
    let mut lines = said.lines().map(without_time);
    for line in shown.into_iter().map(without_time) {
        assert!(
            lines.any(|said| said == line),
            "not shown there: {line}\n{said}"
        );
    }
}

/// A line without a time at its end, such as `[36 µs]`.
fn without_time(line: &str) -> &str {
    match line.rsplit_once("  [") {
        Some((rest, time)) if time.ends_with("s]") => rest,
        _ => line,
    }
}

/// What builds plugins in other languages, as `scripts/setup languages` installs it.
fn build_with_tools(directory: &Path) {
    let tools = repository().join("target/languages");
    let npm = tools.join("javascript/node_modules");
    if directory.join("package.json").exists() {
        symlink(&npm, directory.join("node_modules")).unwrap();
    }
    let found = env::var_os("PATH").unwrap_or_default();
    let own = [tools.join("python/bin"), npm.join(".bin")];
    let path = env::join_paths(own.into_iter().chain(env::split_paths(&found))).unwrap();
    let built = run(Command::new(directory.join("build"))
        .env("PATH", path)
        .env("POSTGATE", program().get_program())
        .current_dir(directory));
    good(&built);
}

/// The plugin that an author begins with in each other language goes by the same conversation.
#[test]
fn a_new_plugin_in_each_language_works_at_once() {
    for language in ["c", "python", "javascript"] {
        let place = TempDir::new().unwrap();
        let directory = place.path().join("no-nobody");
        let to = path(&directory);
        let new = ["new", "no-nobody", "--language", language, "--directory"];
        good(&plugin(&[&new[..], &[to]].concat()));
        build_with_tools(&directory);
        let wasm = directory.join("no-nobody.wasm");
        let cache = repository().join("target/plugin-cache");
        let tests = directory.join("tests");
        let test = ["test", path(&wasm), path(&tests), "--cache", path(&cache)];
        let tested = good(&plugin(&test));
        let sign = "2 dialogs, 0 not as written";
        assert!(tested.contains(sign), "{language}: {tested}");
    }
}

#[test]
fn a_new_plugin_replaces_nothing() {
    let place = TempDir::new().unwrap();
    let there = plugin(&["new", "x", "--directory", path(place.path())]);
    assert_eq!(there.status.code(), Some(64));
    assert!(
        said(&there).contains("is there already"),
        "{}",
        said(&there)
    );
    for name in ["Grey", "../x", "-x"] {
        let directory = path(&place.path().join("y")).to_owned();
        let bad = plugin(&["new", "--directory", &directory, "--", name]);
        assert_eq!(bad.status.code(), Some(64), "{name}");
        assert!(!Path::new(&directory).exists(), "{name}");
    }
    let language = plugin(&["new", "x", "--language", "cobol"]);
    assert_eq!(language.status.code(), Some(64));
    assert!(said(&language).contains("rust, c, python, javascript"));
}

#[test]
fn a_dialog_that_goes_otherwise_is_shown() {
    let (place, file) = placed("examples/no-plus", "");
    let dialog = written(
        &place,
        "wrong.smtp",
        "S: 220 …\nC: EHLO client.example\nS* 250\nC: MAIL FROM:<a@client.example>\n\
         S: 250 2.1.0 …\nC: RCPT TO:<bob+shop@example.org>\nS: 250 2.1.5 …\n",
    );
    let output = plugin(&["test", &file, &dialog]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for sign in [
        "(line 7)",
        "expected: S: 250 2.1.5 …",
        "got: S: 550 5.1.1 no tagged addresses here",
        "rcpt        <bob+shop@example.org>",
        "1 dialog, 1 not as written",
    ] {
        assert!(
            said(&output).contains(sign),
            "no {sign} in {}",
            said(&output)
        );
    }
    let object = &lines(&plugin(&["test", "--json", &file, &dialog]))[0];
    assert_eq!(object["calls"][0]["verdict"], "refuse");
    assert!(object["mismatch"].as_str().unwrap().contains("line 7"));
}

const MESSAGE: &str = "From: alice@client.example\nSubject: cheap watches\n\nBuy!\n.\n";

#[test]
fn what_a_plugin_changes_in_a_message_is_a_diff() {
    let example = repository().join("plugins/header-rules/example.toml");
    let (place, file) = placed("header-rules", &fs::read_to_string(example).unwrap());
    let message = written(&place, "spam.eml", &format!("X-Spam-Flag: yes\n{MESSAGE}"));
    let shown = good(&plugin(&["test", &file, &message]));
    for sign in [
        "+ prepend X-Folder: Junk",
        "\n+X-Folder: Junk\n",
        "1 message, 0 not taken",
    ] {
        assert!(shown.contains(sign), "no {sign} in {shown}");
    }
}

#[test]
fn a_message_that_is_refused_says_where() {
    let (place, file) = placed("examples/no-plus", "");
    let message = written(&place, "a.eml", MESSAGE);
    let refused = plugin(&[
        "test",
        "--json",
        &file,
        &message,
        "--to",
        "bob+x@example.org",
    ]);
    let object = &lines(&refused)[0];
    assert_eq!(object["taken"], false);
    assert_eq!(object["reply"], "550 5.1.1 no tagged addresses here");
    assert_eq!(object["calls"][0]["event"], "rcpt");
    let taken = plugin(&["test", "--json", &file, &message]);
    let object = &lines(&taken)[0];
    assert_eq!(
        (&object["taken"], &object["diff"]),
        (&true.into(), &"".into())
    );
}

#[test]
fn a_directory_is_a_corpus() {
    let (place, file) = placed("examples/no-plus", "");
    let corpus = place.path().join("corpus");
    fs::create_dir(&corpus).unwrap();
    for name in ["b.eml", "a.eml", "c.txt"] {
        fs::write(corpus.join(name), MESSAGE).unwrap();
    }
    let shown = good(&plugin(&["test", &file, path(&corpus)]));
    let a = shown.find("a.eml").unwrap();
    assert!(a < shown.find("b.eml").unwrap(), "{shown}");
    assert!(!shown.contains("c.txt"), "{shown}");
    assert!(shown.contains("2 messages, 0 not taken"), "{shown}");
}

#[test]
fn a_plugin_that_fails_is_no_success() {
    let (place, file) = placed("guests/trap", "");
    let message = written(&place, "a.eml", MESSAGE);
    let output = plugin(&["test", &file, &message, "--to", "trap@example.org"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("FAILED trapped"),
        "{}",
        said(&output)
    );
}

#[test]
fn the_client_is_who_the_flags_say() {
    let example = repository().join("plugins/access/example.toml");
    let (place, file) = placed("access", &fs::read_to_string(example).unwrap());
    let dialog = written(&place, "who.smtp", "S: 554 5.7.1 …\n");
    let banned = plugin(&["test", &file, &dialog, "--client-ip", "198.51.100.7"]);
    let welcome = plugin(&["test", &file, &dialog]);
    let codes = [banned.status.code(), welcome.status.code()];
    assert_eq!(
        codes,
        [Some(0), Some(1)],
        "{}{}",
        said(&banned),
        said(&welcome)
    );
}

#[test]
fn files_that_cannot_be_played_are_named() {
    let (place, file) = placed("examples/no-plus", "");
    for (name, text, sign) in [
        ("a.txt", "", "neither an .smtp nor an .eml file"),
        ("a.smtp", "Z: what\n", "cannot read"),
        (
            "b.smtp",
            "@limits.recipient = 3\nS: 220 …\n",
            "limits.recipient",
        ),
    ] {
        let other = written(&place, name, text);
        let output = plugin(&["test", &file, &other]);
        assert_eq!(output.status.code(), Some(64), "{}", said(&output));
        assert!(said(&output).contains(sign), "{}", said(&output));
        assert!(said(&output).contains(name), "{}", said(&output));
    }
    let output = plugin(&["test", "nowhere.wasm", &file]);
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
}

#[test]
fn costs_are_measured_for_each_event() {
    let (_place, file) = placed("examples/no-plus", "");
    let output = plugin(&["bench", &file, "--sessions", "20", "--json"]);
    good(&output);
    let report = &lines(&output)[0];
    let names: Vec<_> = report["events"].as_array().unwrap().iter().collect();
    assert_eq!(names[0]["event"], "first call");
    assert_eq!(names[0]["calls"], 20);
    assert_eq!(
        (&names[1]["event"], &names[1]["calls"]),
        (&"rcpt".into(), &180.into())
    );
    assert!(names[1]["calls-per-second"].as_f64().unwrap() > 0.0);
    let table = good(&plugin(&["bench", &file, "--sessions", "2"]));
    assert!(
        table.contains("calls/s") && table.contains("rcpt"),
        "{table}"
    );
}

#[test]
fn a_plugin_can_be_inspected_by_programs() {
    let (_place, file) = placed("examples/no-plus", "");
    let output = plugin(&["inspect", &file, "--json"]);
    good(&output);
    let object = &lines(&output)[0];
    let events = object["events"].as_array().unwrap();
    assert!(events.contains(&"rcpt".into()), "{events:?}");
    assert_eq!(object["sha256"].as_str().unwrap().len(), 64);
}

const LUNCH: &str = "S: 220 …\nC: EHLO client.example\nS* 250\n\
    C: MAIL FROM:<alice@client.example>\nS: 250 2.1.0 …\n\
    C: RCPT TO:<bob+shop@example.org>\nS: 550 5.1.1 …\n\
    C: RCPT TO:<bob@example.org>\nS: 250 2.1.5 …\nC: QUIT\nS* 221\n";

/// The recordings in a directory.
fn recordings(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|found| found == "jsonl"));
    files.map(|file| path(&file).to_owned()).collect()
}

#[test]
fn a_recorded_session_is_shown_to_another_build() {
    let (place, file) = placed("examples/no-plus", "");
    let dialog = written(&place, "lunch.smtp", LUNCH);
    let directory = path(place.path()).to_owned();
    good(&plugin(&["test", &file, &dialog, "--record", &directory]));
    let recording = recordings(place.path()).remove(0);
    let same = good(&plugin(&["replay", &file, &recording]));
    assert!(same.contains("2 calls, 0 answered otherwise"), "{same}");

    let (_place, other) = placed("guests/trap", "");
    let output = plugin(&["replay", &other, &recording]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for sign in [
        "2 calls, 1 answered otherwise",
        "1 rcpt <bob+shop@example.org>",
        "- {\"reply\":\"550 5.1.1 no tagged addresses here\",\"verdict\":\"refuse\"}",
        "+ {\"verdict\":\"next\"}",
        "answers otherwise once",
    ] {
        assert!(
            said(&output).contains(sign),
            "no {sign} in {}",
            said(&output)
        );
    }
    let object = &lines(&plugin(&["replay", &other, &recording, "--json"]))[0];
    assert_eq!(object["differences"][0]["call"], 1);
}

#[test]
fn a_gateway_records_what_the_sidecar_says() {
    let place = TempDir::new().unwrap();
    let sidecar = format!("record = {:?}", path(place.path()));
    let mut gateway = Setup::new()
        .plugin("10-no-plus", "examples/no-plus", &sidecar)
        .start();
    good(&run(&mut swaks(gateway.address())));
    gateway.terminate();
    gateway.wait();
    let recording = recordings(place.path()).remove(0);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&recording).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let (_place, file) = placed("examples/no-plus", "");
    let same = good(&plugin(&["replay", &file, &recording]));
    assert!(same.contains("1 calls, 0 answered otherwise"), "{same}");
}

#[test]
fn a_recording_holds_no_password() {
    let example = repository().join("plugins/access/example.toml");
    let (place, file) = placed("access", &fs::read_to_string(example).unwrap());
    // "\0alice\0hunter2"
    let dialog = "S: 220 …\nC: EHLO client.example\nS* 250\nC: AUTH PLAIN AGFsaWNlAGh1bnRlcjI=\n\
                  S* 535\nC: QUIT\nS* 221\n";
    let dialog = written(&place, "auth.smtp", dialog);
    let directory = path(place.path()).to_owned();
    plugin(&["test", &file, &dialog, "--record", &directory]);
    let recording = recordings(place.path()).remove(0);
    let text = fs::read_to_string(&recording).unwrap();
    assert!(
        text.contains("\"event\":\"auth\"") && text.contains("alice"),
        "{text}"
    );
    assert!(
        !text.contains("hunter2") && !text.contains("AGFsaWNl"),
        "{text}"
    );
}

#[test]
fn what_is_no_recording_is_refused() {
    let (place, file) = placed("examples/no-plus", "");
    for (text, sign) in [
        ("", ":1: not a line of a recording"),
        ("{}", ":1: not a line of a recording"),
        (
            "{\"postgate-recording\":9,\"plugin\":\"x\",\"session\":\"y\"}",
            "version 9 of the format",
        ),
        (
            "{\"postgate-recording\":2,\"plugin\":\"x\",\"session\":\"y\"}\n{\"event\":7}",
            ":2: not a line of a recording",
        ),
    ] {
        let recording = written(&place, "x.jsonl", text);
        let output = plugin(&["replay", &file, &recording]);
        assert_eq!(output.status.code(), Some(64), "{}", said(&output));
        assert!(said(&output).contains(sign), "{}", said(&output));
    }
}

/// A rehearsed session offers what its listener does, and shows a plugin how it is encrypted.
#[test]
fn a_dialog_may_begin_tls() {
    let (place, file) = placed("guests/sealed", "");
    let dialog = "@listener.tls = \"optional\"\nS: 220 …\nC: EHLO refuse\nS* 250\nC: STARTTLS\n\
                  S: 454 4.7.0 not for you\nC: EHLO client.example\nS* 250\nC: STARTTLS\nS: 220 …\n\
                  C! tls certificate\nC: EHLO client.example\nS* 250\nC: QUIT\nS* 221\n";
    let dialog = written(&place, "tls.smtp", dialog);
    let shown = good(&plugin(&["test", &file, &dialog]));
    assert!(shown.contains("1 dialog, 0 not as written"), "{shown}");
    for sign in ["TLSv1.3", "CN=client.example", "verified: true"] {
        assert!(shown.contains(sign), "no {sign} in {shown}");
    }
}
