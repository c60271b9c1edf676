//! The command line: what it says, and its exit codes.

use std::fs;
use std::process::Output;

use postgate_tests::gateway::{Setup, guest_file, program};
use postgate_tests::peer::run;
use tempfile::TempDir;

fn postgate(arguments: &[&str]) -> Output {
    run(program().args(arguments))
}

fn check(setup: &Setup) -> Output {
    run(program().args(["check", "--config"]).arg(setup.write()))
}

/// All that a run has said.
fn said(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams
        .map(|stream| String::from_utf8_lossy(stream).into_owned())
        .concat()
}

fn assert_mistakes(output: &Output, signs: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(64), "{said}");
    for sign in signs {
        assert!(said.contains(sign), "no \"{sign}\" in:\n{said}");
    }
}

#[test]
fn help_and_version() {
    let output = postgate(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    for command in ["serve", "check", "plugin"] {
        assert!(said(&output).contains(command), "{}", said(&output));
    }
    let output = postgate(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        said(&output).contains(env!("CARGO_PKG_VERSION")),
        "{}",
        said(&output)
    );
}

#[test]
fn a_wrong_command_line_is_the_operators_mistake() {
    for arguments in [&["serv"][..], &["serve", "--confg", "x"], &[], &["plugin"]] {
        let output = postgate(arguments);
        assert_eq!(
            output.status.code(),
            Some(64),
            "{arguments:?}: {}",
            said(&output)
        );
    }
}

#[test]
fn a_good_configuration_is_summed_up() {
    let setup = Setup::new().plugin("10-verdicts", "guests/verdicts", "");
    let output = check(&setup);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for sign in ["mx.example.org", "example.org", "10-verdicts"] {
        assert!(
            said(&output).contains(sign),
            "no {sign} in {}",
            said(&output)
        );
    }
}

#[test]
fn all_mistakes_are_listed_at_once_with_their_keys() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("postgate.toml");
    let text = "hostname = \"not a name\"\n\
        oops = 1\n\
        [[listener]]\n\
        address = \"nowhere\"\n\
        auth = \"sometimes\"\n\
        [limits]\n\
        message-sise = 1\n\
        recipients = \"many\"\n\
        command-timeout = \"5 parsecs\"\n\
        [[backend]]\n\
        address = \"ftp://example.org\"\n\
        [plugins]\n\
        directory = \"not-there\"\n";
    fs::write(&file, text).unwrap();
    for command in ["check", "serve"] {
        let output = postgate(&[command, "--config", &file.display().to_string()]);
        let keys = [
            "hostname",
            "oops",
            "listener[0].address",
            "listener[0].auth",
            "limits.message-sise",
            "limits.message-size",
            "limits.recipients",
            "limits.command-timeout",
            "backend[0].address",
            "plugins.directory",
        ];
        assert_mistakes(&output, &keys);
    }
}

#[test]
fn a_file_that_is_not_there_or_is_no_toml() {
    assert_mistakes(
        &postgate(&["check", "--config", "/not/there.toml"]),
        &["/not/there.toml"],
    );
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("postgate.toml");
    fs::write(&file, "hostname = \n").unwrap();
    let file = file.display().to_string();
    assert_mistakes(
        &postgate(&["check", "--config", &file]),
        &["postgate.toml:1"],
    );
}

/// What is wrong with plugins, each by the words that the operator needs.
#[test]
fn plugins_that_cannot_be_used_are_all_named() {
    let whole = fs::read(guest_file("guests/trap")).expect("the guests are built");
    let setup = Setup::new()
        .plugin_file("10-truncated", &whole[..whole.len() / 2], "")
        .plugin_file("15-empty", b"", "")
        .plugin_file("20-text", b"#!/bin/sh\necho hello\n", "")
        .plugin(
            "30-sidecar",
            "guests/trap",
            "on-failur = \"accept\"\n[limits]\nmemory = \"huge\"",
        )
        .plugin("40-ungranted", "guests/ungranted", "")
        .plugin("50-grant", "guests/trap", "grants = [\"everything\"]")
        .plugin("55-nowhere", "guests/trap", "listeners = [\"not-there\"]")
        .plugin("57-never", "guests/trap", "events = [\"helo\"]")
        .plugin("60-init", "guests/init-fails", "")
        .plugin("70-self-test", "guests/self-test-fails", "")
        .plugin(
            "80-config",
            "guests/config-echo",
            "[config]\ntxet = \"misspelt\"",
        )
        .plugin("90-good", "guests/trap", "");
    let signs = [
        "10-truncated.wasm",
        "15-empty.wasm",
        "20-text.wasm",
        "30-sidecar.toml",
        "on-failur",
        "limits.memory",
        "40-ungranted.wasm",
        "store",
        "50-grant.toml",
        "55-nowhere.toml: listeners",
        "57-never.toml: events",
        "60-init.wasm",
        "this plugin never starts",
        "70-self-test.wasm",
        "this plugin does not work",
        "80-config.wasm",
        "txet",
    ];
    let output = check(&setup);
    assert_mistakes(&output, &signs);
    assert!(
        !said(&output).contains("90-good.wasm:"),
        "{}",
        said(&output)
    );
}

/// A gateway that leaves a filter out would let through what the filter stops.
#[test]
fn a_gateway_does_not_start_without_one_of_its_plugins() {
    let setup = Setup::new().plugin_file("10-broken", b"\0asm\x01\0\0\0broken", "");
    let output = run(program().args(["serve", "--config"]).arg(setup.write()));
    assert_ne!(output.status.code(), Some(0));
    assert!(
        said(&output).contains("10-broken.wasm"),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains("listening"), "{}", said(&output));
}

#[test]
fn a_plugin_can_be_looked_into() {
    let inspect = |guest: &str| {
        let file = guest_file(guest);
        let output = postgate(&["plugin", "inspect", &file.display().to_string()]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        said(&output)
    };
    let verdicts = inspect("guests/verdicts");
    for event in ["helo", "auth", "mail", "rcpt", "message"] {
        assert!(verdicts.contains(event), "no {event} in {verdicts}");
    }
    assert!(!verdicts.contains("disconnect"), "{verdicts}");
    assert!(inspect("guests/ungranted").contains("store"));
    let output = postgate(&["plugin", "inspect", "/not/there.wasm"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(
        said(&output).contains("/not/there.wasm"),
        "{}",
        said(&output)
    );
}
