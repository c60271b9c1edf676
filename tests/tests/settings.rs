//! Settings from the file, from environment variables and from flags, and what does without any.

use std::process::{Command, Output};

use postgate_tests::client::Client;
use postgate_tests::gateway::{Setup, program};
use postgate_tests::peer::run;

/// `check` for a configuration, with more arguments and environment variables.
fn check(setup: &Setup, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command: Command = program();
    command.args(["check", "--config"]).arg(setup.write());
    let output: Output = run(command.args(arguments).envs(variables.iter().copied()));
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn assert_says(said: &str, signs: &[&str]) {
    for sign in signs {
        assert!(
            said.lines().any(|line| line.starts_with(sign)),
            "no {sign} in:\n{said}"
        );
    }
}

#[test]
fn a_flag_goes_before_a_variable_and_that_before_the_file() {
    let setup = Setup::new();
    let variables = [
        ("POSTGATE_HOSTNAME", "variable.example"),
        ("POSTGATE_LISTEN", "127.0.0.1:2526,[::1]:2526"),
        ("POSTGATE_BACKEND", "lmtp://variable.example:24"),
        ("POSTGATE_RELAY_DOMAINS", "variable.example"),
    ];
    let (code, said) = check(&setup, &[], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_says(
        &said,
        &["hostname  mx.example.org", "listener  127.0.0.1:0"],
    );
    let (code, said) = check(&setup, &[], &variables);
    assert_eq!(code, Some(0), "{said}");
    assert_says(
        &said,
        &[
            "hostname  variable.example",
            "listener  127.0.0.1:2526",
            "listener  [::1]:2526",
            "relay     variable.example",
            "backend   lmtp://variable.example:24",
        ],
    );
    let flags = ["--hostname", "flag.example", "--listen", "127.0.0.1:2527"];
    let (code, said) = check(&setup, &flags, &variables);
    assert_eq!(code, Some(0), "{said}");
    assert_says(
        &said,
        &[
            "hostname  flag.example",
            "listener  127.0.0.1:2527",
            "backend   lmtp://variable.example:24",
        ],
    );
    assert!(!said.contains("2526"), "{said}");
}

#[test]
fn mistakes_are_told_by_the_variable_or_the_flag() {
    let variables = [("POSTGATE_LISTEN", ":25"), ("POSTGATE_LOG_FORMAT", "xml")];
    let (code, said) = check(&Setup::new(), &["--backend", "ftp://a"], &variables);
    assert_eq!(code, Some(64), "{said}");
    assert_says(
        &said,
        &[
            "POSTGATE_LISTEN: expected",
            "POSTGATE_LOG_FORMAT: expected",
            "--backend: expected",
        ],
    );
}

#[test]
fn addresses_that_cannot_be_listened_on_are_mistakes() {
    for address in [
        "",
        ":25",
        "127.0.0.1",
        "127.0.0.1:",
        "nowhere.invalid:25",
        "127.0.0.1:1,",
    ] {
        let setup = Setup::new().listener(&format!("address = \"{address}\""));
        let (code, said) = check(&setup, &[], &[]);
        assert_eq!(code, Some(64), "{address}: {said}");
        assert!(said.contains("listener[0].address"), "{address}: {said}");
    }
    let (code, said) = check(&Setup::new(), &["--listen", "127.0.0.1:1,127.0.0.1:1"], &[]);
    assert_eq!(code, Some(64), "{said}");
    assert_says(&said, &["--listen: 127.0.0.1:1 is there twice"]);
}

/// Nothing would ever call a plugin that works for a listener that is not there.
#[test]
fn a_sidecar_names_only_what_is_there() {
    let setup = Setup::new()
        .plugin(
            "10-listener",
            "guests/trap",
            "listeners = [\"main\", \"mian\"]",
        )
        .plugin("20-event", "guests/trap", "events = [\"expn\"]");
    let (code, said) = check(&setup, &[], &[]);
    assert_eq!(code, Some(64), "{said}");
    assert!(
        said.contains("10-listener.toml: listeners: no listener is called \"mian\""),
        "{said}"
    );
    assert!(
        said.contains("20-event.toml: events: the plugin has no \"expn\""),
        "{said}"
    );
}

#[test]
fn without_a_backend_mail_is_refused_for_now() {
    let gateway = Setup::new().set("backend = []").start();
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "452 4.3.1 No storage backend");
    client.says("QUIT", "221");
}

#[test]
fn every_address_can_be_listened_on() {
    let gateway = Setup::new()
        .set("listener = [{ name = \"all\", address = \"*:0\", banner = \"ESMTP all\" }]")
        .start();
    let (ip, port) = (gateway.address().ip(), gateway.address().port());
    assert!(ip.is_unspecified(), "{ip}");
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    assert_eq!(client.reply(), "220 mx.example.org ESMTP all");
}
