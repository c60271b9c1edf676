//! A plugin that keeps failing is taken out, and comes back when it works again.

use std::time::Instant;

use postgate_tests::PATIENCE;
use postgate_tests::client::Client;
use postgate_tests::control;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::pause;
use postgate_tests::rogue::{PLUGIN, Rogue};
use serde_json::Value;

const TAKEN_OUT: &str = "plugin keeps failing and is taken out";

fn is_open(rogue: &Rogue) -> u64 {
    rogue.metric(&format!(
        "postgate_plugin_breaker_open{{plugin=\"{PLUGIN}\"}}"
    ))
}

fn skipped(rogue: &Rogue, event: &str) -> u64 {
    rogue.metric(&format!(
        "postgate_plugin_skipped_total{{plugin=\"{PLUGIN}\",event=\"{event}\"}}"
    ))
}

fn lines_of(gateway: &Gateway, message: &str) -> Vec<Value> {
    gateway.log().find(|line| line["message"] == message)
}

#[test]
fn a_plugin_that_keeps_failing_is_taken_out_for_all() {
    let sidecar =
        "breaker = { failures = 3, window = \"1h\", back-off = \"1h\", max-back-off = \"2h\" }";
    let rogue = Rogue::start(&["trap@rcpt"], sidecar);
    for failure in 1..=3 {
        assert_eq!(is_open(&rogue), 0);
        let listed = control::plugin(&rogue.gateway, PLUGIN).expect("it is listed");
        assert_eq!(listed["state"], "active");
        let reply = rogue.provoke("trap@rcpt");
        assert!(reply.starts_with("451 4.3.0"), "{reply}");
        assert_eq!(rogue.failures("rcpt", "trap"), failure);
    }
    assert_eq!(is_open(&rogue), 1);
    let listed = control::plugin(&rogue.gateway, PLUGIN).expect("it is listed");
    assert_eq!(listed["state"], "out");
    let line = rogue.gateway.log().wait_for_message(TAKEN_OUT);
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["plugin"], PLUGIN);
    assert_eq!(line["event"], "rcpt");
    // It must not fail open: the filter is not there, so nothing goes through.
    for _ in 0..5 {
        rogue.gateway.connect().expect("421 4.3.0");
    }
    assert_eq!(skipped(&rogue, "connect"), 5);
    // Nothing of it was run, and the news came once.
    assert_eq!(rogue.failures("rcpt", "trap"), 3);
    assert_eq!(lines_of(&rogue.gateway, TAKEN_OUT).len(), 1);
    assert_eq!(rogue.wait_for_failures("rcpt", "trap", 3).len(), 3);
}

#[test]
fn what_is_out_is_what_the_operator_says() {
    for (on_failure, expected) in [("accept", "250"), ("reject", "554 5.3.0")] {
        let sidecar = format!(
            "on-failure = \"{on_failure}\"\nevents = [\"rcpt\", \"message\"]\n\
             breaker = {{ failures = 1, back-off = \"1h\", max-back-off = \"1h\" }}"
        );
        let rogue = Rogue::start(&["trap@rcpt"], &sidecar);
        // The first fails, the second is not even asked.
        for _ in 0..2 {
            let reply = rogue.provoke("trap@rcpt");
            assert!(reply.starts_with(expected), "{on_failure}: {reply}");
        }
        assert_eq!(skipped(&rogue, "rcpt"), 1, "{on_failure}");
        assert_eq!(rogue.failures("rcpt", "trap"), 1, "{on_failure}");
    }
}

#[test]
fn failures_can_be_without_consequence() {
    let rogue = Rogue::start(&["trap@rcpt"], "breaker.failures = 0");
    for _ in 0..30 {
        rogue.provoke("trap@rcpt");
    }
    assert_eq!(rogue.failures("rcpt", "trap"), 30);
    assert_eq!(is_open(&rogue), 0);
}

/// One session tries it, and its success lets everybody in.
#[test]
fn a_plugin_that_works_again_is_back() {
    let rogue = Rogue::start(
        &["trap@rcpt"],
        "events = [\"rcpt\"]\nbreaker = { failures = 2, back-off = \"50ms\" }",
    );
    rogue.provoke("trap@rcpt");
    rogue.provoke("trap@rcpt");
    rogue.gateway.log().wait_for_message(TAKEN_OUT);
    let deadline = Instant::now() + PATIENCE;
    let mut client = Client::greeted(rogue.gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    while !client.ask("RCPT TO:<bob@example.org>").starts_with("250") {
        assert!(Instant::now() < deadline, "the plugin is never tried again");
        pause();
    }
    assert_is_back(&rogue);
    let mut other = Client::greeted(rogue.gateway.address());
    other.envelope("alice@client.example", &["bob@example.org"]);
}

/// At an event to which few sessions ever come, all of a session without a failure is as good.
#[test]
fn a_plugin_that_failed_where_nobody_goes_is_back() {
    let rogue = Rogue::start(
        &["trap@vrfy"],
        "breaker = { failures = 1, back-off = \"50ms\" }",
    );
    rogue.provoke("trap@vrfy");
    rogue.gateway.log().wait_for_message(TAKEN_OUT);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut client = Client::connect(rogue.gateway.address());
        if client.reply().starts_with("220") {
            client.says("QUIT", "221");
            break;
        }
        assert!(Instant::now() < deadline, "the plugin is never tried again");
        pause();
    }
    assert_is_back(&rogue);
}

/// The log and the metrics say that the plugin is back.
fn assert_is_back(rogue: &Rogue) {
    let log = rogue.gateway.log();
    let line = log.wait_for_message("plugin works again and is back");
    assert_eq!(line["plugin"], PLUGIN);
    assert_eq!(is_open(rogue), 0);
}

/// A client behind a proxy, so that each can have an address of its own.
fn client_from(gateway: &Gateway, address: &str) -> Client {
    let mut client = gateway.connect();
    client.write(format!("PROXY TCP4 {address} 192.0.2.250 1000 25\r\n").as_bytes());
    client.expect("220");
    client.says("EHLO client.example", "250");
    client.says("MAIL FROM:<alice@client.example>", "250");
    client
}

/// Who knows how to make a plugin fail cannot use the breaker against everybody else.
#[test]
fn one_client_alone_does_not_take_out_what_works_for_others() {
    let gateway = Setup::new()
        .listener("proxy = \"required\"\nproxy-from = [\"127.0.0.1\"]")
        .plugin(
            PLUGIN,
            "guests/trap",
            "breaker = { failures = 3, window = \"1h\", back-off = \"1h\", max-back-off = \"1h\" }",
        )
        .start();
    let mut good = client_from(&gateway, "192.0.2.1");
    let mut bad = client_from(&gateway, "192.0.2.66");
    // A burst before anybody else has come so far.
    bad.write(b"RCPT TO:<trap@example.org>\r\n".repeat(6).as_slice());
    for _ in 0..6 {
        bad.expect("451");
    }
    for _ in 0..20 {
        good.says("RCPT TO:<bob@example.org>", "250");
        bad.says("RCPT TO:<trap@example.org>", "451");
    }
    assert_eq!(lines_of(&gateway, TAKEN_OUT), [] as [Value; 0]);
    // Several clients are another matter.
    client_from(&gateway, "192.0.2.67").says("RCPT TO:<trap@example.org>", "451");
    client_from(&gateway, "192.0.2.68").says("RCPT TO:<trap@example.org>", "451");
    gateway.log().wait_for_message(TAKEN_OUT);
    good.says("RCPT TO:<bob@example.org>", "451 4.3.0");
}
