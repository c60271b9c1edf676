//! What becomes of the edits of plugins.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::{fields, maildir, split};

const CLEAR_AUTH: &str = "auth = \"optional\"\nauth-in-clear = true";
/// `\0bob\0secret`.
const SECRET: &str = "AGJvYgBzZWNyZXQ=";

/// A gateway with the guest `editor`, in front of a working backend.
fn start() -> (Gateway, Backend) {
    let backend = Backend::working();
    let setup = Setup::new().backend(&backend.smtp()).listener(CLEAR_AUTH);
    (
        setup.plugin("10-editor", "guests/editor", "").start(),
        backend,
    )
}

#[test]
fn every_edit_arrives() {
    let (gateway, backend) = start();
    let mut client = gateway.connect();
    client.expect("220 mx.example.org edited banner");
    let ehlo = client.ask("EHLO client.example");
    assert!(
        ehlo.starts_with("250-mx.example.org edited greeting\n"),
        "{ehlo}"
    );
    for keyword in ["XEDITED CONNECT", "XHELO"] {
        assert!(ehlo.lines().any(|line| &line[4..] == keyword), "{ehlo}");
    }
    client.says(&format!("AUTH PLAIN {SECRET}"), "235");
    client.says("MAIL FROM:<rewrite@client.example>", "250");
    client.says("RCPT TO:<move@example.org>", "250");
    client.says("RCPT TO:<gone@example.org>", "250");
    let message = b"From: a@b\r\nSubject: original\r\nX-Remove: zero\r\nX-Remove: one\r\n\
        X-Remove-All: 1\r\nx-remove-all: 2\r\nX-Replace-Body: all new\r\n\
        X-Add-Recipient: added@example.org\r\nX-Remove-Recipient: gone@example.org\r\n\r\nold\r\n";
    let reply = client.message(message);
    assert!(reply.starts_with("250"), "{reply}");
    let mail = backend.taken().remove(0);
    assert!(
        mail.mail
            .starts_with("MAIL FROM:<rewritten@client.example>"),
        "{}",
        mail.mail
    );
    let recipients = ["RCPT TO:<moved@example.org>", "RCPT TO:<added@example.org>"];
    assert_eq!(mail.recipients, recipients);
    assert_eq!(split(&mail.content).1, b"all new\r\n");
    let fields: Vec<_> = fields(&mail.content)
        .into_iter()
        .filter(|field| !field.starts_with("Received:"))
        .collect();
    let expected = [
        "X-At-Message: yes",
        "X-First: prepended",
        "X-Second: inserted",
        "X-At-Data: yes",
        "From: a@b",
        "Subject: replaced",
        "X-Remove: zero",
        "X-Replace-Body: all new",
        "X-Add-Recipient: added@example.org",
        "X-Remove-Recipient: gone@example.org",
        "X-Last: appended",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_sender_can_become_null() {
    let (gateway, backend) = start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("null@client.example", &["bob@example.org"]);
    assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
    client.envelope("alice@client.example", &["bob@example.org"]);
    let message = b"X-Rewrite-Sender: later@client.example\r\n\r\n";
    assert!(client.message(message).starts_with("250"));
    let senders: Vec<_> = backend.taken().into_iter().map(|mail| mail.mail).collect();
    assert!(senders[0].starts_with("MAIL FROM:<>"), "{senders:?}");
    assert!(
        senders[1].starts_with("MAIL FROM:<later@client.example>"),
        "{senders:?}"
    );
}

/// A sender that a plugin rewrites is the sender from then on: for the plugins behind, the log, the
/// backend, and the Return-Path of a final delivery. A trace field names no sender (RFC 5321 section 4.4),
/// and so neither the new nor the old one.
#[test]
fn a_rewritten_sender_is_the_sender() {
    let backend = Backend::working();
    let start = |setup: Setup| {
        let setup = setup.scripted(&["mail <A@B.EXAMPLE> edit rewrite-sender a@b.example"]);
        setup.plugin("20-recorder", "guests/recorder", "").start()
    };
    let relaying = start(Setup::new().backend(&backend.smtp()));
    let storing = start(Setup::new());
    for gateway in [&relaying, &storing] {
        let mut client = Client::greeted(gateway.address());
        client.envelope("A@B.EXAMPLE", &["bob@example.org"]);
        assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
        gateway.log().wait_for("the plugin behind", |line| {
            line["plugin"] == "20-recorder"
                && line["says"].to_string().contains("mail <a@b.example>")
        });
        gateway.log().wait_for("the message", |line| {
            line["message"] == "message" && line["sender"].to_string().contains("a@b.example")
        });
    }
    let mail = backend.taken().remove(0);
    assert!(
        mail.mail.starts_with("MAIL FROM:<a@b.example>"),
        "{}",
        mail.mail
    );
    let stored = maildir(&storing.maildir()).remove(0);
    assert_eq!(fields(&stored)[0], "Return-Path: <a@b.example>");
    for content in [mail.content, stored] {
        assert!(!String::from_utf8_lossy(&content).contains("A@B.EXAMPLE"));
    }
}

/// An edit that would relay to strangers is a failure, not a relay.
#[test]
fn a_plugin_cannot_open_the_relay() {
    let (gateway, backend) = start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(b"X-Add-Recipient: victim@elsewhere.example\r\n\r\n");
    assert!(!reply.starts_with('2'), "{reply}");
    assert_eq!(backend.taken(), []);
}

/// Where the last recipient is removed, the message is discarded.
#[test]
fn a_message_without_recipients_goes_nowhere() {
    let (gateway, backend) = start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(b"X-Remove-Recipient: bob@example.org\r\n\r\n");
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(backend.taken(), []);
}

/// The name that a plugin gives to a message is the one in the log, the trace field and the reply that
/// the gateway makes.
#[test]
fn a_message_can_have_another_name() {
    let (gateway, backend) = start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let message = b"X-Set-Id: case-4711\r\nX-Set: one\r\nx-set: two\r\n\r\nbody\r\n";
    assert!(client.message(message).starts_with("250"));
    let mail = backend.taken().remove(0);
    let fields = fields(&mail.content);
    let received = fields
        .iter()
        .find(|field| field.starts_with("Received:"))
        .unwrap();
    assert!(received.contains(" case-4711 for "), "{received}");
    let set: Vec<_> = fields
        .iter()
        .filter(|field| field.to_lowercase().starts_with("x-set:"))
        .collect();
    assert_eq!(set, ["X-Set: was one"]);
    gateway.log().wait_for("the message", |line| {
        line["message"] == "message" && line["id"] == "case-4711"
    });
    client.envelope("alice@client.example", &["bob@example.org"]);
    let message = b"X-Set-Id: case-4712\r\nX-Remove-Recipient: bob@example.org\r\n\r\nbody\r\n";
    let reply = client.message(message);
    assert!(
        reply.starts_with("250 2.0.0 Ok: queued as case-4712"),
        "{reply}"
    );
}

/// Long values are folded at blanks, and no line of a field that a plugin adds is longer than 998 octets
/// (RFC 5322 §2.1.1). A word that no line can hold is an answer that is none.
#[test]
fn fields_of_plugins_are_folded() {
    let ascii = "a word ".repeat(400);
    let beyond = "größe ".repeat(200);
    let tabs = "one\ttwo\t".repeat(100);
    let long = "x".repeat(900);
    let long_beyond = "é".repeat(450);
    let between = format!("before {} after", "x".repeat(890));
    let values = [
        (&ascii, Some(78)),
        (&beyond, Some(78)),
        (&tabs, Some(78)),
        (&long, Some(998)),
        (&long_beyond, Some(998)),
        (&between, Some(998)),
        (&"x".repeat(901), None),
        (&"é".repeat(451), None),
    ];
    let edits = [
        ("data", "prepend"),
        ("headers", "append"),
        ("message", "set"),
    ];
    for (at, edit) in edits {
        let cases: String = values
            .iter()
            .map(|(value, _)| {
                format!(
                    "[[config.cases]]\nat = \"{at}\"\nedit = \"{edit}\"\nname = \"X-Note\"\n\
                     value = {value:?}\n"
                )
            })
            .collect();
        let backend = Backend::working();
        let gateway = Setup::new()
            .backend(&backend.smtp())
            .plugin(
                "10-bad-header",
                "guests/bad-header",
                &format!("breaker.failures = 0\n{cases}"),
            )
            .start();
        for (number, (value, longest)) in values.iter().enumerate() {
            let mut client = Client::greeted(gateway.address());
            client.envelope("alice@client.example", &[&format!("{number}@example.org")]);
            let Some(longest) = longest else {
                let reply = match at {
                    "data" => client.ask("DATA"),
                    _ => client.message(b"Subject: x\r\n\r\n"),
                };
                assert!(reply.starts_with("451 4.3.0"), "{at} {number}: {reply}");
                continue;
            };
            let reply = client.message(b"Subject: x\r\n\r\n");
            assert!(reply.starts_with("250"), "{at} {number}: {reply}");
            let content = backend.taken().pop().expect("the message").content;
            let field = fields(&content)
                .into_iter()
                .find(|field| field.starts_with("X-Note: "))
                .expect("the field");
            for line in field.split("\r\n") {
                assert!(line.len() <= *longest, "{at} {number}: {}", line.len());
            }
            let unfolded = field.replace("\r\n", "");
            assert_eq!(
                unfolded["X-Note: ".len()..],
                *value.trim_end(),
                "{at} {number}"
            );
        }
        assert_eq!(backend.taken().len(), 6);
    }
}
