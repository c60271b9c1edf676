//! The first words of a session: what they may hold, and what comes of them.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::Setup;
use postgate_tests::mail::fields;

/// A plugin cannot make two lines of one.
#[test]
fn line_breaks_are_left_out_of_a_banner_and_a_greeting() {
    let setup = Setup::new().plugin("10-breaks", "guests/line-breaks", "");
    let gateway = setup.start();
    let mut client = gateway.connect();
    for (reply, signs) in [
        (client.reply(), ["220 mx.example.org one", "220 two"]),
        (
            client.ask("HELO c"),
            ["250 mx.example.org three", "250 four"],
        ),
    ] {
        assert!(
            reply.starts_with(signs[0]) && reply.contains(signs[1]),
            "{reply}"
        );
        assert!(!reply.contains(char::is_control), "{reply:?}");
    }
    let ehlo = client.ask("EHLO client.example");
    assert_eq!(ehlo.lines().nth(1), Some("250-PIPELINING"), "{ehlo}");
    assert_eq!(client.ask("NOOP"), "250 2.0.0 Ok");
}

#[test]
fn a_greeting_of_a_plugin_is_for_the_name_that_it_was_given_for() {
    let setup = Setup::new().plugin("10-editor", "guests/editor", "");
    let gateway = setup.start();
    let mut client = gateway.connect();
    client.expect("220 ");
    let greeted = client.ask("HELO greet.example");
    assert_eq!(greeted, "250 mx.example.org hello to greet.example");
}

/// Nothing that a client can ask for tells it about the machine, the backend or the version.
#[test]
fn nothing_internal_is_told() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = gateway.connect();
    let mut said = vec![client.reply()];
    for line in [
        "EHLO client.example",
        "HELP",
        "VRFY bob",
        "EXPN staff",
        "OINK",
        "MAIL FROM:<alice@client.example>",
        "RCPT TO:<victim@elsewhere.example>",
        "RCPT TO:<bob@example.org>",
        "DATA",
        ".",
        "QUIT",
    ] {
        said.push(client.ask(line));
    }
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    // A name as short as a syllable stands in many words.
    let machine = Some(machine.trim()).filter(|name| name.len() > 4);
    let secrets = [
        machine.unwrap_or_default(),
        &backend.address().to_string(),
        "127.0.0.1",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_MANIFEST_DIR"),
    ];
    for reply in &said {
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            assert!(!reply.contains(secret), "{reply} tells {secret}");
        }
    }
}

/// The protocol of a session stands in the trace field.
#[test]
fn the_greeting_says_which_protocol_it_is() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .listener("auth = \"optional\"\nauth-in-clear = true")
        .plugin("10-verdicts", "guests/verdicts", "")
        .start();
    // The password is `accept`.
    let login = "AUTH PLAIN AGJvYgBhY2NlcHQ=";
    for (greeting, protocol) in [
        (&["HELO client.example"][..], "SMTP"),
        (&["EHLO client.example"], "ESMTP"),
        (&["EHLO client.example", login], "ESMTPA"),
        (&["EHLO client.example", "HELO client.example"], "SMTP"),
        (
            &["EHLO client.example", login, "EHLO client.example"],
            "ESMTPA",
        ),
    ] {
        let mut client = gateway.connect();
        client.expect("220 ");
        for line in greeting {
            client.says(line, "2");
        }
        client.envelope("alice@client.example", &["bob@example.org"]);
        assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
        let content = backend.taken().pop().unwrap().content;
        let received = fields(&content).remove(0).replace("\r\n", "");
        let sign = format!(" with {protocol} id ");
        assert!(received.contains(&sign), "{greeting:?}: {received}");
    }
}

/// Whoever says too much in one line stays the client that it is.
#[test]
fn a_name_can_not_forge_a_trace_field() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = gateway.connect();
    client.expect("220 ");
    client.says(
        "EHLO evil (good.example [192.0.2.1]) by mx.example.org; x",
        "250",
    );
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
    let content = backend.taken().pop().unwrap().content;
    let received = fields(&content).remove(0);
    assert_eq!(received.matches('[').count(), 2, "{received}");
    assert!(received.contains("([127.0.0.1])"), "{received}");
    assert_eq!(received.matches(';').count(), 1, "{received}");
}

#[test]
fn a_client_is_known_after_its_greeting_only() {
    let gateway = Setup::new().start();
    let mut client = Client::connect(gateway.address());
    client.expect("220 ");
    client.says("MAIL FROM:<alice@client.example>", "503 5.5.1");
    client.says("HELO client.example", "250");
    client.says("MAIL FROM:<alice@client.example>", "250");
}

/// 521 and 421 of a plugin take the place of the banner (RFC 7504 §3, RFC 5321 §3.8), and the client is
/// not told why.
#[test]
fn a_plugin_turns_clients_away_and_the_log_says_why() {
    let listener = |code| format!("{{ name = \"{code}\", address = \"127.0.0.1:0\" }}");
    let gateway = Setup::new()
        .set(&format!(
            "listener = [{}, {}]",
            listener(521),
            listener(421)
        ))
        .plugin("10-doorkeeper", "guests/doorkeeper", "")
        .start();
    for (name, reply) in [("521", "521 5.3.2 not here"), ("421", "421 4.3.2 not here")] {
        let mut client = Client::connect(gateway.address_of(name));
        assert_eq!(client.reply(), reply);
        client.expect_close();
        let line = gateway.log().wait_for(name, |line| {
            line["event"] == "connect" && line["reason"].to_string().contains(name)
        });
        let reason = line["reason"].to_string();
        assert!(reason.contains("the client is on the blue list"), "{line}");
        assert!(line["session"].is_string(), "{line}");
    }
}
