//! Postfix as the client: it uses every extension that it knows and the gateway lists.

use postgate_tests::backend::Backend;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::split;
use postgate_tests::peer::Postfix;
use serde_json::Value;

/// What the recorder has written about each envelope, in order.
fn envelopes(gateway: &Gateway) -> Vec<String> {
    let says = |line: &Value| {
        line["says"]
            .as_str()
            .map(|says| says.trim_matches('"').to_owned())
    };
    let lines = gateway.log().find(|line| line["plugin"] == "10-recorder");
    let said = lines.iter().filter_map(says);
    said.filter(|says| says.starts_with("mail ") || says.starts_with("rcpt "))
        .collect()
}

#[test]
fn postfix_sends_with_all_its_extensions() {
    let backend = Backend::with_all_extensions();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-recorder", "guests/recorder", "")
        .start();
    let postfix = Postfix::start(gateway.address());
    let delivered = |count: usize| {
        gateway
            .log()
            .wait_for_all("messages", count, |line| line["message"] == "message")
    };
    let envelope = ["-f", "alice@client.example"];
    let plain = b"Subject: plain\n\nhello\n.\n..dots\n";
    postfix.send(&[&envelope[..], &["-i", "bob@example.org"]].concat(), plain);
    delivered(1);
    let eight_bit = b"Subject: eight bits\n\ncaf\xe9\n";
    let arguments = [&envelope[..], &["-B", "8BITMIME", "bob@example.org"]].concat();
    postfix.send(&arguments, eight_bit);
    delivered(2);
    let notify = ["-N", "success,delay", "-R", "hdrs", "-V", "id-4711"];
    let arguments = [&envelope[..], &notify[..], &["bob@example.org"]].concat();
    postfix.send(&arguments, b"Subject: notify\n\nhello\n");
    delivered(3);
    let international = "Subject: caf\u{e9}\n\nbonjour\n";
    let arguments = ["-f", "pelé@client.example", "bob@example.org"];
    postfix.send(&arguments, international.as_bytes());
    delivered(4);
    let several = ["bob@example.org", "carol@example.org", "dave@example.org"];
    postfix.send(
        &[&envelope[..], &several[..]].concat(),
        b"Subject: all\n\nhello\n",
    );
    delivered(5);

    let taken = backend.taken();
    assert_eq!(taken.len(), 5, "{taken:#?}");
    let bodies: Vec<_> = taken.iter().map(|mail| split(&mail.content).1).collect();
    assert_eq!(bodies[0], b"hello\r\n.\r\n..dots\r\n");
    assert_eq!(bodies[1], b"caf\xe9\r\n");
    assert_eq!(taken[4].recipients.len(), 3);

    let envelopes = envelopes(&gateway);
    let has = |words: &[&str]| {
        let mut lines = envelopes.iter();
        let found = lines.any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no {words:?} in {envelopes:#?}");
    };
    has(&["mail <alice@client.example>", "SIZE"]);
    has(&["mail <alice@client.example>", "8BITMIME"]);
    has(&[
        "mail <alice@client.example>",
        "RET",
        "HDRS",
        "ENVID",
        "id-4711",
    ]);
    has(&[
        "rcpt bob@example.org",
        "NOTIFY",
        "ORCPT",
        "rfc822;bob@example.org",
    ]);
    has(&["mail <pelé@client.example>", "SMTPUTF8"]);
}
