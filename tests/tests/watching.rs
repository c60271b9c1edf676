//! Plugins that watch a session and a message while they go on.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use serde_json::Value;

fn start(sidecar: &str, settings: &str) -> (Gateway, Backend) {
    let backend = Backend::working();
    let setup = Setup::new().backend(&backend.smtp()).set(settings);
    let setup = setup.plugin("10-watcher", "guests/watcher", sidecar);
    (setup.start(), backend)
}

fn message(subject: &str, size: usize) -> Vec<u8> {
    let head = format!("Subject: {subject}\r\n\r\n");
    [head.into_bytes(), b"0123456789abcdef\r\n".repeat(size / 18)].concat()
}

#[test]
fn a_filter_of_commands_can_demand_authentication() {
    let (gateway, _backend) = start("[config]\nauth-first = true", "");
    let mut client = Client::greeted(gateway.address());
    client.says(
        "MAIL FROM:<alice@client.example>",
        "530 5.7.0 authenticate first",
    );
    client.says("RSET", "250");
}

#[test]
fn a_client_with_five_errors_is_dropped() {
    let (gateway, _backend) = start("", "limits.errors = 100");
    let mut client = Client::greeted(gateway.address());
    for _ in 0..5 {
        client.says("NONSENSE", "500");
    }
    client.says("NOOP", "421 4.7.0 too many mistakes");
    client.expect_close();
}

#[test]
fn a_delay_holds_up_nobody_else_and_is_capped() {
    let (gateway, _backend) = start("limits.delay = \"1h\"", "");
    let mut slow = Client::greeted(gateway.address());
    slow.send("MAIL FROM:<slow@client.example>");
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(&message("hello", 100)).starts_with("250"));
    assert!(slow.has_heard_nothing());

    let (gateway, _backend) = start("limits.delay = \"10ms\"", "");
    Client::greeted(gateway.address()).says("MAIL FROM:<slow@client.example>", "250");
}

/// A gateway that stops has the client know, however long a plugin wants it to wait.
#[test]
fn a_delay_does_not_hold_up_the_end() {
    let (mut gateway, _backend) = start("limits.delay = \"1h\"", "");
    let mut slow = Client::greeted(gateway.address());
    slow.send("MAIL FROM:<slow@client.example>");
    let is_held_up = |line: &Value| line["says"].to_string().contains("held up");
    gateway.log().wait_for("a delay", is_held_up);
    gateway.terminate();
    slow.expect("250");
    slow.expect("421 4.3.2");
    slow.expect_close();
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_header_block_is_refused_with_one_reply_at_the_end() {
    let (gateway, backend) = start("", "");
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(&message("unwanted", 300_000));
    assert!(reply.starts_with("550 5.7.1 not this subject"), "{reply}");
    // The session goes on, and no piece of the body was shown.
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(&message("hello", 0)).starts_with("250"));
    assert_eq!(chunks(&gateway, 0), [] as [String; 0]);
    assert_eq!(backend.taken().len(), 1);
}

/// A refusal by a plugin waits for the final dot, however much of the message comes behind it: more than
/// sockets can hold, so that the gateway has read on.
#[test]
fn nothing_is_said_between_354_and_the_final_dot() {
    let (gateway, backend) = start("", "limits.message-size = 0");
    for (subject, reply) in [
        ("unwanted", "550 5.7.1 not this subject"),
        ("hello", "552 5.3.4 the body is too large"),
    ] {
        let mut client = Client::greeted(gateway.address());
        client.envelope("alice@client.example", &["bob@example.org"]);
        client.says("DATA", "354");
        client.write(&message(subject, 32 << 20));
        assert!(client.has_heard_nothing(), "{subject}");
        client.write(b".\r\n");
        client.expect(reply);
        client.says("NOOP", "250");
    }
    assert_eq!(backend.taken(), []);
}

/// A message that ends its session leaves as much behind as any other, wherever that happens.
#[test]
fn a_message_that_has_the_session_closed_is_a_refused_message() {
    let (gateway, _backend) = start("", "");
    for (subject, reply) in [("go away", "554 5.7.1"), ("at once", "552 5.3.4")] {
        let mut client = Client::greeted(gateway.address());
        client.envelope("alice@client.example", &["bob@example.org"]);
        client.says("DATA", "354");
        client.write(&message(subject, 300_000));
        client.expect(reply);
        client.expect_close();
    }
    let is_message = |line: &Value| line["message"] == "message" && line["verdict"] == "refused";
    let lines = gateway.log().wait_for_all("messages", 2, is_message);
    for (line, reply) in lines.iter().zip(["554 5.7.1", "552 5.3.4"]) {
        let said = line["reply"].as_str().unwrap_or_default();
        assert!(said.starts_with(reply), "{line}");
    }
}

#[test]
fn a_body_that_grows_too_large_is_refused_at_the_end_or_at_once() {
    let (gateway, backend) = start("", "");
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(&message("hello", 300_000));
    assert!(
        reply.starts_with("552 5.3.4 the body is too large"),
        "{reply}"
    );
    // The rest of the body was not shown.
    assert_eq!(chunks(&gateway, 2), ["chunk 0", "chunk 65536"]);
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.says("DATA", "354");
    // The end of the data is never sent.
    client.write(&message("at once", 300_000));
    client.expect("552 5.3.4 the body is too large");
    client.expect_close();
    assert_eq!(backend.taken().len(), 0);
}

#[test]
fn a_plugin_that_has_seen_enough_is_not_shown_more() {
    let (gateway, backend) = start("", "");
    let mut client = Client::greeted(gateway.address());
    for _ in 0..2 {
        client.envelope("alice@client.example", &["bob@example.org"]);
        assert!(
            client
                .message(&message("enough", 300_000))
                .starts_with("250")
        );
    }
    assert_eq!(chunks(&gateway, 2), ["chunk 0", "chunk 0"]);
    assert_eq!(backend.taken().len(), 2);
}

#[test]
fn a_tag_reaches_the_line_of_the_message() {
    let (gateway, _backend) = start("", "");
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.message(&message("hello", 0));
    gateway.log().wait_for("the tag", |line| {
        line["message"] == "message"
            && line["tags"] == "class=bulk"
            && line["edits"] == "10-watcher tag class"
    });
}

/// What was shown of bodies, at least so many pieces.
fn chunks(gateway: &Gateway, least: usize) -> Vec<String> {
    let is_chunk = |line: &Value| line["says"].to_string().contains("chunk ");
    let lines = gateway.log().wait_for_all("chunks", least, is_chunk);
    let says = lines.iter().filter_map(|line| line["says"].as_str());
    says.map(|text| text.trim_matches('"').to_owned()).collect()
}
