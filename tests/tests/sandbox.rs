//! Plugins that misbehave in every way and at every event: the session that meets them hears what the
//! operator chose, the operator reads which plugin, event and limit it was, and nobody else notices.

use postgate_tests::dns::NameServer;
use postgate_tests::rogue::{PLUGIN, Rogue, event_of};
use serde_json::Value;

/// The breaker would take out a plugin that fails as often as it does here.
const SIDECAR: &str = "breaker.failures = 0\n\
    limits.cpu = \"500ms\"\nlimits.message-cpu = \"500ms\"\n\
    limits.wall = \"20s\"\nlimits.message-wall = \"20s\"\n";

/// What a client may hear where a plugin fails at an event.
fn tempfail(event: &str) -> &'static str {
    match event {
        "init" | "proxy" | "connect" | "helo" => "421 4.3.0",
        "auth" | "auth-keys" | "starttls" => "454 4.7.0",
        // Nothing can be refused here: the client hears what it would have heard.
        "disconnect" => "221",
        "outcome" | "reset" => "250",
        _ => "451 4.3.0",
    }
}

/// The event at which an instance is made that fails at once.
fn blamed(event: &str) -> &str {
    match event {
        "init" => "connect",
        event => event,
    }
}

/// Each behaviour shows once: in the reply, in the log, in the metrics, and to nobody else.
fn assert_costs_one_session(rogue: &Rogue, behaviour: &str, cause: &str) {
    let event = event_of(behaviour);
    rogue.assert_nobody_waits(behaviour, || {
        let earlier = rogue.failures_logged(blamed(event), cause).len();
        let reply = rogue.provoke(behaviour);
        assert!(reply.starts_with(tempfail(event)), "{behaviour}: {reply}");
        // At `disconnect` and the like the client has its reply before the plugin is asked.
        rogue.wait_for_failures(blamed(event), cause, earlier + 1);
    });
    for line in rogue.failures_logged(blamed(event), cause) {
        assert_eq!(line["on_failure"], "Tempfail", "{behaviour}: {line}");
    }
    assert!(rogue.failures(blamed(event), cause) >= 1, "{behaviour}");
}

const EVENTS: &[&str] = &[
    "init",
    "proxy",
    "connect",
    "helo",
    "starttls",
    "auth-keys",
    "auth",
    "mail",
    "rcpt",
    "data",
    "headers",
    "body-chunk",
    "message",
    "outcome",
    "reset",
    "vrfy",
    "expn",
    "help",
    "command",
    "disconnect",
];

#[test]
fn a_busy_loop_at_any_event_is_stopped_and_nobody_else_waits() {
    let behaviours: Vec<_> = EVENTS.iter().map(|event| format!("spin@{event}")).collect();
    let behaviours: Vec<_> = behaviours.iter().map(String::as_str).collect();
    let rogue = Rogue::start(&behaviours, SIDECAR);
    for behaviour in behaviours {
        let cause = match event_of(behaviour) {
            "init" | "message" => "message-cpu",
            _ => "cpu",
        };
        assert_costs_one_session(&rogue, behaviour, cause);
    }
}

#[test]
fn a_trap_at_any_event_costs_one_session() {
    let behaviours: Vec<_> = EVENTS.iter().map(|event| format!("trap@{event}")).collect();
    let behaviours: Vec<_> = behaviours.iter().map(String::as_str).collect();
    let rogue = Rogue::start(&behaviours, SIDECAR);
    for behaviour in behaviours {
        let cause = match event_of(behaviour) {
            "init" => "instantiate",
            _ => "trap",
        };
        assert_costs_one_session(&rogue, behaviour, cause);
    }
}

#[test]
fn every_limit_holds() {
    let table = [
        ("recurse@rcpt", "trap", "call stack exhausted"),
        ("hoard@rcpt", "memory", "limits.memory of 33554432"),
        ("hoard@message", "memory", "limits.memory"),
        ("host-calls@rcpt", "cpu", "limits.cpu of 500ms"),
        ("dns-flood@rcpt", "dns-queries", "limits.dns-queries of 100"),
        (
            "huge-call@rcpt",
            "hostcall-bytes",
            "limits.hostcall-bytes of 4194304",
        ),
        ("long-reply@rcpt", "hostcall-bytes", "limits.hostcall-bytes"),
        ("many-lines@rcpt", "hostcall-bytes", "limits.hostcall-bytes"),
        ("many-edits@rcpt", "edits", "limits.edits of 256"),
        ("trap-after-wait@mail", "trap", "unreachable"),
        (
            "refuse@init",
            "init",
            r"on-init failed: no\r\nlevel=ERROR forged",
        ),
    ];
    let behaviours: Vec<_> = table.iter().map(|(behaviour, ..)| *behaviour).collect();
    let rogue = Rogue::start(&behaviours, SIDECAR);
    for (behaviour, cause, text) in table {
        assert_costs_one_session(&rogue, behaviour, cause);
        let line = rogue.wait_for_failure(blamed(event_of(behaviour)), cause);
        let error = line["error"].as_str().unwrap_or_default();
        assert!(error.contains(text), "{behaviour}: {error}");
        assert!(
            error.len() < 4_096,
            "{behaviour}: a line of {} octets",
            error.len()
        );
    }
}

/// The backend has the message by then: a client that hears of it too late sends it again.
#[test]
fn a_client_hears_of_its_message_whatever_plugins_do_about_it() {
    let sidecar = SIDECAR.replace("500ms", "1h").replace("20s", "1h");
    let rogue = Rogue::start(&["spin@outcome"], &sidecar);
    let reply = rogue.provoke("spin@outcome");
    assert!(reply.starts_with("250"), "{reply}");
    let log = rogue.gateway.log();
    log.wait_for_message("plugins take too long at outcome");
}

/// Waiting costs nobody a thread, and has its own limit.
#[test]
fn a_plugin_that_waits_too_long_is_stopped() {
    let sidecar = SIDECAR.replace("20s", "2s");
    let rogue = Rogue::with(NameServer::dead(), &["dns-wait@rcpt"], &sidecar);
    assert_costs_one_session(&rogue, "dns-wait@rcpt", "wall");
}

/// What stays within the limits, however hard it tries, is no failure, and hurts nobody either.
#[test]
fn what_stays_within_the_limits_is_served() {
    let behaviours = [
        "drip@rcpt",
        "log-flood@rcpt",
        "long-log@rcpt",
        "store-flood@rcpt",
        "random-flood@rcpt",
        "read-beyond@message",
    ];
    let rogue = Rogue::start(&behaviours, SIDECAR);
    for behaviour in behaviours {
        rogue.assert_nobody_waits(behaviour, || {
            let reply = rogue.provoke(behaviour);
            assert!(reply.starts_with("250"), "{behaviour}: {reply}");
        });
    }
    let log = rogue.gateway.log();
    let failures = log.find(|line| line["message"] == "plugin failed");
    assert!(failures.is_empty(), "{failures:?}");
    let dropped = log.wait_for("dropped lines", |line| line["dropped"] == 10_000 - 64);
    assert_eq!(dropped["plugin"], PLUGIN);
    let lines = log.wait_for_all("lines of the plugin", 64 + 1, |line| {
        line["message"] == "plugin"
    });
    let of_session = |id: &Value| lines.iter().filter(|line| line["session"] == *id).count();
    let most = lines.iter().map(|line| of_session(&line["session"])).max();
    assert_eq!(most, Some(64));
    let longest = lines
        .iter()
        .map(|line| line["says"].as_str().map_or(0, str::len));
    assert!(longest.max() < Some(8_192), "{:?}", lines.last());
}
