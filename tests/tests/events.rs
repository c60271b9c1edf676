//! What plugins are asked, in which order, and what becomes of their answers.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::{fields, maildir, split};
use serde_json::Value;

const CLEAR_AUTH: &str = "auth = \"optional\"\nauth-in-clear = true";
/// `\0bob\0secret`, and `\0bob\0` with passwords that the guest `verdicts` knows.
const SECRET: &str = "AGJvYgBzZWNyZXQ=";
const ACCEPT: &str = "AGJvYgBhY2NlcHQ=";
const REFUSE450: &str = "AGJvYgByZWZ1c2U0NTA=";

fn start(plugins: &[(&str, &str, &str)]) -> (Gateway, Backend) {
    let backend = Backend::working();
    let mut setup = Setup::new().backend(&backend.smtp()).listener(CLEAR_AUTH);
    for (name, guest, sidecar) in plugins {
        setup = setup.plugin(name, guest, sidecar);
    }
    (setup.start(), backend)
}

/// What the guest `recorder` wrote about the one session that there was, up to its end.
fn recorded(gateway: &Gateway) -> Vec<String> {
    gateway
        .log()
        .wait_for("a disconnect", |line| says(line).is_some_and(is_disconnect));
    gateway
        .log()
        .find(|line| says(line).is_some())
        .iter()
        .filter_map(says)
        .collect()
}

/// The text of a line that the recorder wrote in a session, and not when it was loaded.
fn says(line: &Value) -> Option<String> {
    if line["plugin"] != "10-recorder" || line["session"] == "load" {
        return None;
    }
    Some(line["says"].as_str()?.trim_matches('"').to_owned())
}

fn is_disconnect(text: String) -> bool {
    text.starts_with("disconnect ")
}

#[test]
fn every_event_comes_once_and_in_order() {
    let (gateway, _backend) = start(&[("10-recorder", "guests/recorder", "")]);
    let mut client = Client::greeted(gateway.address());
    client.says(&format!("AUTH PLAIN {SECRET}"), "535");
    client.says("MAIL FROM:<alice@client.example> SIZE=100", "250");
    client.says("RCPT TO:<bob@example.org>", "250");
    client.says("RCPT TO:<carol@example.org>", "250");
    client.says("OINK", "500");
    assert!(
        client
            .message(b"Subject: hello\r\nTo: x@y\r\n\r\nbody\r\n")
            .starts_with("250")
    );
    client.says("QUIT", "221");
    let expected = [
        "connect 127.0.0.1 listener=main",
        "helo client.example kind=",
        "auth PLAIN identity=bob",
        "mail ",
        "rcpt ",
        "rcpt ",
        "data recipients=2",
        "headers count=",
        "message size=",
        "disconnect ",
    ];
    let recorded = recorded(&gateway);
    assert_eq!(recorded.len(), expected.len(), "{recorded:#?}");
    for (line, expected) in recorded.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line} is not {expected}");
    }
    assert!(recorded[7].ends_with("subject=hello"), "{}", recorded[7]);
    assert!(
        recorded[9].contains("Quit") && recorded[9].ends_with("messages=1"),
        "{}",
        recorded[9]
    );
}

#[test]
fn commands_that_are_not_legal_reach_no_plugin() {
    let (gateway, _backend) = start(&[("10-recorder", "guests/recorder", "")]);
    let mut client = gateway.connect();
    client.expect("220 ");
    for line in [
        "MAIL FROM:<a@b>",
        "RCPT TO:<bob@example.org>",
        "DATA",
        "EHLO",
        "AUTH PLAIN x",
    ] {
        assert!(client.ask(line).starts_with("50"), "{line}");
    }
    client.says("EHLO client.example", "250");
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<victim@elsewhere.example>", "550 5.7.1");
    client.says("RCPT TO:<bob@>", "501 5.1.3");
    client.says("DATA", "503 5.5.1");
    drop(client);
    let recorded = recorded(&gateway);
    let events: Vec<_> = recorded
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(events, ["connect", "helo", "mail", "disconnect"]);
}

/// A client that simply goes away is a disconnect too, with the reason.
#[test]
fn a_broken_connection_is_a_disconnect() {
    let (gateway, _backend) = start(&[("10-recorder", "guests/recorder", "")]);
    drop(Client::greeted(gateway.address()));
    let recorded = recorded(&gateway);
    assert!(recorded.last().unwrap().contains("Closed"), "{recorded:#?}");
}

#[test]
fn verdicts_on_commands() {
    let (gateway, _backend) = start(&[("10-verdicts", "guests/verdicts", "")]);
    let refused = "550 5.7.1 asked to refuse";
    let refused_for_now = "450 4.7.1 asked to refuse for now";
    let mut client = gateway.connect();
    client.expect("220 ");
    assert_eq!(client.ask("EHLO refuse550"), refused);
    client.says("MAIL FROM:<alice@client.example>", "503");
    assert_eq!(client.ask("EHLO refuse450"), refused_for_now);
    client.says("EHLO accept", "250");
    assert_eq!(client.ask("MAIL FROM:<refuse550@client.example>"), refused);
    assert_eq!(
        client.ask("MAIL FROM:<refuse450@client.example>"),
        refused_for_now
    );
    client.says("MAIL FROM:<accept@client.example>", "250");
    assert_eq!(client.ask("RCPT TO:<refuse550@example.org>"), refused);
    assert_eq!(
        client.ask("RCPT TO:<refuse450@example.org>"),
        refused_for_now
    );
    client.says("DATA", "503 5.5.1");
    client.says("RCPT TO:<accept@example.org>", "250");
    client.says("RCPT TO:<victim@elsewhere.example>", "550 5.7.1");
    assert_eq!(
        client.ask("RCPT TO:<disconnect@example.org>"),
        "554 5.7.1 asked to disconnect"
    );
    client.expect_close();
}

#[test]
fn verdicts_on_credentials() {
    let (gateway, _backend) = start(&[("10-verdicts", "guests/verdicts", "")]);
    let mut client = Client::greeted(gateway.address());
    client.says(&format!("AUTH PLAIN {SECRET}"), "535 5.7.8");
    client.says(
        &format!("AUTH PLAIN {REFUSE450}"),
        "450 4.7.1 asked to refuse for now",
    );
    client.says(&format!("AUTH PLAIN {ACCEPT}"), "235 2.7.0");
    client.says("MAIL FROM:<bob@example.org>", "250");
    // Who has authenticated may relay.
    client.says("RCPT TO:<anybody@elsewhere.example>", "250");
    let log = gateway.log().text();
    for secret in [SECRET, ACCEPT, "secret"] {
        assert!(!log.contains(secret), "the log shows {secret}");
    }
}

#[test]
fn verdicts_on_messages() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .set("quarantine.maildir = \"quarantine\"")
        .plugin("10-verdicts", "guests/verdicts", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    let mut send = |verdict: &str| {
        client.envelope("alice@client.example", &["bob@example.org"]);
        client.message(format!("X-Verdict: {verdict}\r\n\r\nbody of {verdict}\r\n").as_bytes())
    };
    assert_eq!(send("refuse550"), "550 5.7.1 asked to refuse");
    assert_eq!(send("refuse450"), "450 4.7.1 asked to refuse for now");
    assert!(send("discard").starts_with("250 2.0.0"));
    assert!(send("quarantine").starts_with("250 2.0.0"));
    assert_eq!(backend.taken(), []);
    let quarantined = maildir(&gateway.directory().join("quarantine"));
    assert_eq!(quarantined.len(), 1);
    assert_eq!(split(&quarantined[0]).1, b"body of quarantine\r\n");
    assert!(send("accept").starts_with("250"));
    assert!(send("anything").starts_with("250"));
    assert_eq!(backend.taken().len(), 2);
    assert_eq!(send("disconnect"), "554 5.7.1 asked to disconnect");
    client.expect_close();
}

#[test]
fn every_edit_arrives() {
    let (gateway, backend) = start(&[("10-editor", "guests/editor", "")]);
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
    let (gateway, backend) = start(&[("10-editor", "guests/editor", "")]);
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

/// An edit that would relay to strangers is a failure, not a relay.
#[test]
fn a_plugin_cannot_open_the_relay() {
    let (gateway, backend) = start(&[("10-editor", "guests/editor", "")]);
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(b"X-Add-Recipient: victim@elsewhere.example\r\n\r\n");
    assert!(!reply.starts_with('2'), "{reply}");
    assert_eq!(backend.taken(), []);
}

/// Where the last recipient is removed, the message is discarded.
#[test]
fn a_message_without_recipients_goes_nowhere() {
    let (gateway, backend) = start(&[("10-editor", "guests/editor", "")]);
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(b"X-Remove-Recipient: bob@example.org\r\n\r\n");
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(backend.taken(), []);
}

#[test]
fn the_first_refusal_wins_and_plugins_come_in_the_order_of_their_names() {
    let echo = |text: &str| format!("[config]\ntext = \"{text}\"");
    let (gateway, _backend) = start(&[
        ("20-late", "guests/config-echo", &echo("the late one")),
        ("10-early", "guests/config-echo", &echo("the early one")),
    ]);
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    assert_eq!(
        client.ask("RCPT TO:<bob@example.org>"),
        "550 5.7.1 the early one"
    );
}

#[test]
fn accept_skips_the_plugins_behind() {
    let sidecar = "[config]\ntext = \"refused after all\"";
    let (gateway, _backend) = start(&[
        ("10-verdicts", "guests/verdicts", ""),
        ("20-echo", "guests/config-echo", sidecar),
    ]);
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<accept@example.org>", "250 2.1.5");
    assert_eq!(
        client.ask("RCPT TO:<bob@example.org>"),
        "550 5.7.1 refused after all"
    );
}

/// What one plugin has changed is what the next one sees.
#[test]
fn edits_are_seen_by_the_plugins_behind() {
    let (gateway, _backend) = start(&[
        ("05-editor", "guests/editor", ""),
        ("10-recorder", "guests/recorder", ""),
    ]);
    let mut client = Client::greeted(gateway.address());
    client.envelope("rewrite@client.example", &["move@example.org"]);
    let message = b"Subject: original\r\nX-Replace-Body: all new\r\n\r\nold body\r\n";
    assert!(client.message(message).starts_with("250"));
    client.says("QUIT", "221");
    let recorded = recorded(&gateway).join("\n");
    for sign in [
        "mail <rewritten@client.example>",
        "rcpt moved@example.org",
        "subject=replaced",
        " body=9 ",
    ] {
        assert!(recorded.contains(sign), "no {sign} in {recorded}");
    }
}

/// Which events and listeners a plugin works for is for the operator to narrow.
#[test]
fn a_sidecar_narrows_events_and_listeners() {
    let (gateway, _backend) = start(&[
        ("10-verdicts", "guests/verdicts", "events = [\"mail\"]"),
        (
            "20-echo",
            "guests/config-echo",
            "listeners = [\"other\"]\n[config]\ntext = \"no\"",
        ),
    ]);
    let mut client = gateway.connect();
    client.expect("220 ");
    client.says("EHLO refuse550", "250");
    client.says("MAIL FROM:<refuse550@client.example>", "550");
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<refuse550@example.org>", "250");
}

/// One line for each message says what became of it, and who said so.
#[test]
fn every_message_leaves_a_line_in_the_log() {
    let (gateway, _backend) = start(&[("10-verdicts", "guests/verdicts", "")]);
    let mut client = Client::greeted(gateway.address());
    for verdict in ["anything", "refuse550"] {
        client.envelope("alice@client.example", &["bob@example.org"]);
        client.message(format!("X-Verdict: {verdict}\r\n\r\n").as_bytes());
    }
    let lines = gateway
        .log()
        .wait_for_all("message", 2, |line| line["message"] == "message");
    assert_eq!(lines.len(), 2);
    for line in &lines {
        for key in [
            "session",
            "sender",
            "recipients",
            "size",
            "verdict",
            "reply",
            "plugins",
        ] {
            assert!(!line[key].is_null(), "no {key} in {line}");
        }
        assert!(
            line["sender"]
                .as_str()
                .unwrap()
                .contains("alice@client.example"),
            "{line}"
        );
        assert!(
            line["recipients"].to_string().contains("bob@example.org"),
            "{line}"
        );
        assert!(
            line["plugins"].to_string().contains("10-verdicts"),
            "{line}"
        );
    }
    assert!(
        lines[0]["reply"].to_string().contains("250"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1]["reply"].to_string().contains("550 5.7.1"),
        "{}",
        lines[1]
    );
    // Why is for the operator only.
    gateway.log().wait_for("the reason", |line| {
        line["plugin"] == "10-verdicts" && line.to_string().contains("the client said refuse550")
    });
}
