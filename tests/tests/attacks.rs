//! Messages and clients made to exhaust the gateway: they cost no more than their own session.

use std::thread;

use postgate_tests::backend::{Act, Backend, Step};
use postgate_tests::client::Client;
use postgate_tests::control;
use postgate_tests::gateway::Setup;
use postgate_tests::process::peak_memory;

/// All three stock plugins, so that everything that can look at a message does.
fn filtering(setup: Setup) -> Setup {
    let stock = ["access", "header-rules", "attachment-blocker"];
    stock
        .into_iter()
        .fold(setup.set("log.level = \"info\""), |setup, name| {
            setup.plugin(name, name, "")
        })
}

/// Structures that recursive readers choke on.
#[test]
fn deep_and_wide_messages_do_no_harm() {
    let multipart = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n";
    let numbered = |number: usize| {
        format!("Content-Type: multipart/mixed; boundary=b{number}\r\n\r\n--b{number}\r\n")
    };
    let attacks = [
        (
            "messages in messages",
            "Content-Type: message/rfc822\r\n\r\n".repeat(30_000),
        ),
        ("multiparts in multiparts", multipart.repeat(20_000)),
        (
            "boundaries of their own",
            (0..15_000).map(numbered).collect(),
        ),
        (
            "empty parts",
            format!("{multipart}{}", "--b\r\n".repeat(150_000)),
        ),
        ("fields", "A: b\r\n".repeat(150_000)),
        ("folds", format!("A: b\r\n{}", " c\r\n".repeat(200_000))),
        (
            "encoded words",
            format!("Subject: {}\r\n\r\n", "=?utf-8?q?a?=\r\n ".repeat(50_000)),
        ),
        (
            "parameters",
            format!("Content-Type: a/b{}\r\n\r\n", ";\r\n a*0=b".repeat(50_000)),
        ),
    ];
    let backend = Backend::working();
    let setup = Setup::new().backend(&backend.smtp()).set(control::SOCKET);
    let mut gateway = filtering(setup).start();
    let mut bystander = Client::greeted(gateway.address());
    bystander.envelope("alice@client.example", &["bob@example.org"]);
    let before = peak_memory(&gateway);
    let (mut taken, mut failed) = (0, 0);
    for (name, attack) in attacks {
        let mut client = Client::greeted(gateway.address());
        client.envelope("mallory@client.example", &["bob@example.org"]);
        // Taken, refused, or too much for the CPU time of a plugin.
        let reply = client.message(attack.as_bytes());
        match &reply[..3] {
            "250" => taken += 1,
            "451" => failed += 1,
            code => assert!(code.starts_with('5'), "{name}: {reply}"),
        }
        assert!(gateway.is_up(), "{name}");
        let grown = peak_memory(&gateway) - before;
        assert!(grown < 64 << 20, "{name}: {grown} octets more");
        // The filters still stop what they are for.
        let mut other = Client::greeted(gateway.address());
        other.envelope("mallory@client.example", &["bob@example.org"]);
        let reply = other.message(PROGRAM);
        assert!(reply.starts_with("550"), "{name}: {reply}");
    }
    // Not every attack ends with the time of a plugin.
    assert!(taken > 0 && failed < 4, "{taken} taken, {failed} failed");
    assert!(bystander.message(b"Subject: x\r\n\r\n").starts_with("250"));
    assert_eq!(backend.taken().len(), taken + 1);
    let failures = gateway
        .log()
        .find(|line| line["message"] == "plugin failed");
    assert_eq!(failures.len(), failed, "{failures:#?}");
    for failure in failures {
        let cause = failure["cause"].as_str().unwrap_or_default();
        assert!(cause.ends_with("cpu"), "{failure}");
    }
    let metrics = control::ask(&gateway, "metrics")["text"].to_string();
    for absent in ["plugin_skipped_total{", "plugin_host_faults_total{"] {
        assert!(!metrics.contains(absent), "{metrics}");
    }
}

/// What `attachment-blocker` refuses.
const PROGRAM: &[u8] = b"MIME-Version: 1.0\r\n\
    Content-Type: application/octet-stream; name=\"x.exe\"\r\n\r\nMZ\r\n";

const SESSIONS: usize = 20;
const LINE: &[u8] = b"an ordinary line of text that stands in a message to make it a large one\r\n";

/// However many large messages come at once, memory stays far below their sum.
#[test]
fn large_messages_at_once_stay_out_of_memory() {
    let backend = Backend::scripted(|event| match event.step {
        Step::Message { .. } => Act::reply("550 5.7.1 no room for that"),
        _ => Act::Work,
    });
    let setup = Setup::new()
        .backend(&backend.smtp())
        .set("limits.spool-memory = \"64KiB\"");
    let gateway = filtering(setup).start();
    let before = peak_memory(&gateway);
    let message = [
        b"Subject: large\r\n\r\n",
        LINE.repeat((20 << 20) / LINE.len()).as_slice(),
    ]
    .concat();
    thread::scope(|scope| {
        for _ in 0..SESSIONS {
            scope.spawn(|| {
                let mut client = Client::greeted(gateway.address());
                client.envelope("alice@client.example", &["bob@example.org"]);
                let reply = client.message(&message);
                assert!(reply.starts_with("550 5.7.1 no room"), "{reply}");
            });
        }
    });
    let (grown, sent) = (peak_memory(&gateway) - before, SESSIONS * message.len());
    assert!(
        grown < sent / 2,
        "{grown} octets more for {sent} octets of mail"
    );
}

/// A client that asks and asks and never listens is let go.
#[test]
fn a_client_that_never_reads_is_let_go() {
    let gateway = Setup::new()
        .set("limits = { write-timeout = \"300ms\", idle-commands = 0, connections = 1 }")
        .start();
    let mut client = gateway.connect();
    client.expect("220 ");
    let commands = b"HELP\r\n".repeat(10_000);
    client.write_until_closed(&commands);
    gateway.log().wait_for("the end", |line| {
        line["message"] == "disconnected" && line["ending"] == "timeout"
    });
    // There is room for one.
    Client::greeted(gateway.address());
}

/// One that sends without end and never reads keeps the gateway from neither memory nor others.
#[test]
fn endless_commands_stay_out_of_memory() {
    let gateway = Setup::new().set("log.level = \"info\"").start();
    let before = peak_memory(&gateway);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = gateway.connect();
                client.expect("220 ");
                let line = b"x".repeat(1 << 20);
                client.write_until_closed(&line);
            });
        }
    });
    let grown = peak_memory(&gateway) - before;
    assert!(grown < 32 << 20, "{grown} octets more");
    Client::greeted(gateway.address());
}
