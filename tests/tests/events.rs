//! What plugins are asked, in which order, and what the operator can see of it.

use std::collections::BTreeMap;

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use serde_json::Value;

const CLEAR_AUTH: &str = "auth = \"optional\"\nauth-in-clear = true";
/// `\0bob\0secret`.
const SECRET: &str = "AGJvYgBzZWNyZXQ=";

/// A gateway in front of a working backend, with these plugins.
fn start(plugins: &[(&str, &str, &str)]) -> (Gateway, Backend) {
    let backend = Backend::working();
    let setup = Setup::new().backend(&backend.smtp()).listener(CLEAR_AUTH);
    (setup.plugins(plugins).start(), backend)
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
        "body-chunk offset=0 length=6",
        "message size=",
        "outcome Fate::Delivered code=250 known=true",
        "disconnect ",
    ];
    let recorded = recorded(&gateway);
    assert_eq!(recorded.len(), expected.len(), "{recorded:#?}");
    for (line, expected) in recorded.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line} is not {expected}");
    }
    assert!(recorded[7].ends_with("subject=hello"), "{}", recorded[7]);
    assert!(
        recorded[11].contains("Quit") && recorded[11].ends_with("messages=1"),
        "{}",
        recorded[11]
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

/// A plugin that has heard of a transaction hears of its end too, where one behind it refuses.
#[test]
fn a_sender_that_another_plugin_refuses_is_a_reset() {
    let (gateway, _backend) = start(&[
        ("10-recorder", "guests/recorder", ""),
        ("20-verdicts", "guests/verdicts", ""),
        ("30-late", "guests/recorder", ""),
    ]);
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<refuse550@client.example>", "550 5.7.1");
    client.says("QUIT", "221");
    let expected = ["connect", "helo", "mail", "reset", "disconnect"];
    let recorded = recorded(&gateway);
    let events: Vec<_> = recorded
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(events, expected);
    assert_eq!(recorded[3], "reset Cause::Refused sender=None");
    let late = gateway.log().find(|line| {
        let says = line["says"].as_str().unwrap_or_default();
        line["plugin"] == "30-late" && says.contains("reset")
    });
    assert_eq!(late, [] as [Value; 0]);
}

/// A client that simply goes away is a disconnect too, with the reason.
#[test]
fn a_broken_connection_is_a_disconnect() {
    let (gateway, _backend) = start(&[("10-recorder", "guests/recorder", "")]);
    drop(Client::greeted(gateway.address()));
    let recorded = recorded(&gateway);
    assert!(recorded.last().unwrap().contains("Closed"), "{recorded:#?}");
}

/// In the middle of a message, too: nothing of it is delivered, and the plugin hears the end once.
#[test]
fn a_client_that_leaves_in_the_middle_of_a_message_is_a_disconnect() {
    let (gateway, backend) = start(&[("10-recorder", "guests/recorder", "")]);
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.says("DATA", "354");
    client.write(b"Subject: half\r\n\r\nthe rest never");
    drop(client);
    let recorded = recorded(&gateway);
    let ends: Vec<_> = recorded
        .iter()
        .filter(|line| line.starts_with("disconnect "))
        .collect();
    assert_eq!(ends.len(), 1, "{recorded:#?}");
    assert!(
        ends[0].contains("Closed") && ends[0].ends_with("messages=0"),
        "{ends:?}"
    );
    assert!(
        !recorded.iter().any(|line| line.starts_with("message ")),
        "{recorded:#?}"
    );
    assert_eq!(backend.taken(), []);
}

/// The header block is shown once, whatever it ends with.
#[test]
fn a_header_block_without_end_or_body_is_shown_once() {
    let (gateway, _backend) = start(&[("10-recorder", "guests/recorder", "")]);
    let mut client = Client::greeted(gateway.address());
    for message in [
        &b"Subject: one\r\n"[..],
        b"Subject: two\r\n\r\n",
        b"",
        b"text\r\n",
    ] {
        client.envelope("alice@client.example", &["bob@example.org"]);
        assert!(client.message(message).starts_with("250"));
    }
    client.says("QUIT", "221");
    let recorded = recorded(&gateway);
    let headers = recorded.iter().filter(|line| line.starts_with("headers "));
    let subjects: Vec<_> = headers
        .map(|line| line.rsplit('=').next().unwrap())
        .collect();
    assert_eq!(subjects, ["one", "two", "", ""], "{recorded:#?}");
}

/// The end comes once, with its reason, however it comes.
#[test]
fn every_session_ends_with_a_disconnect() {
    let backend = Backend::working();
    let settings = "limits.errors = 1\nlimits.command-timeout = \"1s\"";
    let setup = Setup::new().backend(&backend.smtp()).set(settings);
    let gateway = setup.plugin("10-recorder", "guests/recorder", "").start();
    Client::greeted(gateway.address()).says("QUIT", "221");
    Client::greeted(gateway.address()).says("NONSENSE", "500");
    drop(Client::greeted(gateway.address()));
    Client::greeted(gateway.address()).expect("421 4.4.2");
    let is_over = |line: &Value| says(line).is_some_and(is_disconnect);
    gateway.log().wait_for_all("disconnects", 4, is_over);
    let lines = gateway.log().find(is_over);
    let ends: Vec<_> = lines.iter().filter_map(says).collect();
    for reason in ["Quit", "Refused", "Closed", "Timeout"] {
        let count = ends.iter().filter(|end| end.contains(reason)).count();
        assert_eq!(count, 1, "{reason} in {ends:#?}");
    }
}

#[test]
fn a_shutdown_is_a_disconnect() {
    let setup = Setup::new().plugin("10-recorder", "guests/recorder", "");
    let mut gateway = setup.start();
    let mut client = Client::greeted(gateway.address());
    gateway.terminate();
    client.expect("421 4.3.2");
    drop(client);
    let recorded = recorded(&gateway);
    let end = recorded.last().unwrap();
    assert!(end.contains("Shutdown"), "{end}");
    assert_eq!(gateway.wait().code(), Some(0));
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

/// Which events a plugin is asked about is for the operator to narrow.
#[test]
fn a_sidecar_narrows_events() {
    let sidecar = "events = [\"mail\"]";
    let (gateway, _backend) = start(&[("10-verdicts", "guests/verdicts", sidecar)]);
    let mut client = gateway.connect();
    client.expect("220 ");
    client.says("EHLO refuse550", "250");
    client.says("MAIL FROM:<refuse550@client.example>", "550");
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<refuse550@example.org>", "250");
}

/// A plugin may work for one listener and not for another.
#[test]
fn listeners_have_their_own_plugins() {
    let listeners = "listener = [{ name = \"main\", address = \"127.0.0.1:0\" }, \
         { name = \"other\", address = \"127.0.0.1:0\" }]";
    let sidecar = "listeners = [\"other\"]\n[config]\ntext = \"not here\"";
    let gateway = Setup::new()
        .set(listeners)
        .plugin("10-echo", "guests/config-echo", sidecar)
        .start();
    for (listener, expected) in [("main", "250"), ("other", "550 5.7.1 not here")] {
        let mut client = Client::greeted(gateway.address_of(listener));
        client.says("MAIL FROM:<alice@client.example>", "250");
        client.says("RCPT TO:<bob@example.org>", expected);
    }
}

/// What one session's plugin sees is that session, however many there are at the same time.
#[test]
fn parallel_sessions_are_not_mixed_up() {
    const SESSIONS: usize = 50;
    let (gateway, _backend) = start(&[("10-recorder", "guests/recorder", "")]);
    let mut clients: Vec<_> = (0..SESSIONS).map(|_| gateway.connect()).collect();
    let each = |clients: &mut [Client], line: &dyn Fn(usize) -> String| {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(&line(number));
        }
        for client in clients {
            client.expect("250");
        }
    };
    clients
        .iter_mut()
        .for_each(|client| _ = client.expect("220"));
    each(&mut clients, &|number| format!("EHLO c{number}.example"));
    each(&mut clients, &|number| {
        format!("MAIL FROM:<a@c{number}.example>")
    });
    each(&mut clients, &|number| {
        format!("RCPT TO:<c{number}.example@example.org>")
    });
    drop(clients);
    let is_over = |line: &Value| says(line).is_some_and(is_disconnect);
    gateway.log().wait_for_all("disconnects", SESSIONS, is_over);
    let mut sessions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in gateway.log().find(|line| says(line).is_some()) {
        let session = line["session"].as_str().unwrap().to_owned();
        sessions.entry(session).or_default().extend(says(&line));
    }
    assert_eq!(sessions.len(), SESSIONS);
    for said in sessions.values() {
        let name = said[1].split(' ').nth(1).unwrap();
        assert!(
            said[2].starts_with(&format!("mail <a@{name}>")),
            "{said:#?}"
        );
        assert!(
            said[3].starts_with(&format!("rcpt {name}@example.org")),
            "{said:#?}"
        );
    }
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
