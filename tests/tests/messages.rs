//! Messages that are not as they should be, and recipients that are judged late.

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::Setup;
use postgate_tests::mail::{digest, split};

const LOGIN: &str = "auth = \"optional\"\nauth-in-clear = true";

/// Judging content is for plugins: the gateway passes on what it is given.
#[test]
fn defective_messages_are_taken() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = Client::greeted(gateway.address());
    for message in [
        &b""[..],
        b"\r\n",
        b"\r\n\r\nonly a body\r\n",
        b"no header at all\r\nreally none\r\n",
        b"Subject no colon\r\n\r\nbody\r\n",
        b": no name\r\n\r\nbody\r\n",
        b" starts with a fold\r\nSubject: x\r\n\r\nbody\r\n",
        b"Subject: x\r\nSubject: y\r\nFrom: a@b\r\nFrom: c@d\r\n\r\nbody\r\n",
        b"Sub\xe9ct: \xff\xfe\r\n\r\n\x80body\r\n",
        b"Subject: nul \0 in it\r\n\r\nbo\0dy\r\n",
        b"Resent-From: a@b\r\nResent-To: c@d\r\nResent-Date: never\r\nResent-From: e@f\r\n\r\nx\r\n",
        b"Date: yesterday\r\nMessage-ID: none\r\nReceived: nonsense\r\n\r\nbody\r\n",
        b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n--\r\n----\r\n",
        b"Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nnever closed\r\n",
        b"Content-Type: ;;;===\r\nContent-Transfer-Encoding: base65\r\n\r\n=====\r\n",
        b"MIME-Version: 17\r\nContent-Type: message/rfc822\r\n\r\nMIME-Version\r\n",
    ] {
        client.envelope("alice@client.example", &["bob@example.org"]);
        let reply = client.message(message);
        let shown = message.escape_ascii();
        assert!(reply.starts_with("250 2.0.0"), "{shown}: {reply}");
        let content = backend.taken().pop().unwrap().content;
        // A message without a header block gets the empty line that is missing.
        let is_body = BODIES.iter().any(|start| message.starts_with(start));
        let missing = if is_body { "\\r\\n" } else { "" };
        let got = without_trace(&content).escape_ascii().to_string();
        assert_eq!(got, format!("{missing}{shown}"));
    }
}

/// The first lines of messages above that are no fields.
const BODIES: [&[u8]; 5] = [
    b"no header",
    b"Subject no",
    b": no",
    b" starts",
    b"Sub\xe9ct",
];

/// The message without the one field that the gateway puts into it, wherever it stands.
fn without_trace(message: &[u8]) -> Vec<u8> {
    let mut is_trace = false;
    let lines = message.split_inclusive(|octet| *octet == b'\n');
    let kept = lines.filter(|line| {
        let goes_on = is_trace && line.starts_with(b" ");
        is_trace = goes_on || line.starts_with(b"Received: from client.example ");
        !is_trace
    });
    kept.collect::<Vec<_>>().concat()
}

#[test]
fn a_thousand_fields_arrive() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let fields: String = (0..1_000)
        .map(|n| format!("X-Field-{n}: value {n}\r\n"))
        .collect();
    let message = format!("{fields}\r\nbody\r\n");
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(message.as_bytes()).starts_with("250"));
    let content = backend.taken().pop().unwrap().content;
    assert!(content.ends_with(message.as_bytes()));
    assert_eq!(digest(split(&content).1), digest(b"body\r\n"));
}

/// A field of ten mebibytes is more than any header block may have, and is refused at the end.
#[test]
fn an_enormous_field_is_refused() {
    let backend = Backend::working();
    let mut gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let mut message = b"Subject: ".to_vec();
    message.resize(10 << 20, b'x');
    message.extend_from_slice(b"\r\n\r\nbody\r\n");
    let reply = client.message(&message);
    assert!(reply.starts_with('5'), "{reply}");
    client.says("NOOP", "250");
    assert_eq!(backend.taken(), []);
    assert!(gateway.is_up());
}

#[test]
fn a_message_that_goes_round_in_circles_is_refused() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = Client::greeted(gateway.address());
    for (hops, expected) in [(50, "250 2.0.0"), (150, "554 5.4.6")] {
        let trace = "Received: from a.example by b.example; Fri, 20 Nov 2026 10:00:00 +0000\r\n";
        client.envelope("alice@client.example", &["bob@example.org"]);
        let reply = client.message(format!("{}\r\nbody\r\n", trace.repeat(hops)).as_bytes());
        assert!(reply.starts_with(expected), "{hops}: {reply}");
    }
    assert_eq!(backend.taken().len(), 1);
}

/// Mail of a client that may relay goes where all mail goes, for own domains and others alike.
#[test]
fn mail_of_our_own_users_to_ourselves_is_delivered_at_once() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .listener(LOGIN)
        .plugin("10-verdicts", "guests/verdicts", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    // The password is `accept`.
    client.says("AUTH PLAIN AGJvYgBhY2NlcHQ=", "235");
    client.envelope(
        "bob@example.org",
        &["carol@example.org", "dave@elsewhere.example"],
    );
    assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
    let taken = backend.taken();
    let recipients = [
        "RCPT TO:<carol@example.org>",
        "RCPT TO:<dave@elsewhere.example>",
    ];
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].recipients, recipients);
}

/// A plugin may let every recipient pass and decide on all of them at the end.
#[test]
fn a_verdict_on_recipients_may_come_at_the_end() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-late", "guests/late", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.envelope(
        "alice@client.example",
        &["bob@example.org", "late@example.org"],
    );
    let reply = client.message(b"Subject: x\r\n\r\n");
    assert_eq!(reply, "550 5.1.1 late is not known here");
    assert_eq!(backend.taken(), []);
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
    assert_eq!(backend.taken().len(), 1);
}

/// Each code that a plugin may refuse or answer with reaches the client as it is.
#[test]
fn plugins_have_all_codes() {
    let gateway = Setup::new()
        .plugin("10-verdicts", "guests/verdicts", "")
        .plugin("20-codes", "guests/codes", "")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    for (verb, code) in [
        ("HELP", 211),
        ("HELP", 214),
        ("VRFY", 250),
        ("VRFY", 251),
        ("VRFY", 252),
    ] {
        let reply = client.ask(&format!("{verb} {code}"));
        assert_eq!(reply, format!("{code} 2.0.0 this is {code}"));
    }
    // What only the gateway can do, or is no answer to this.
    for question in ["VRFY 221", "VRFY 235", "HELP 220"] {
        client.says(question, "451 4.3.0");
    }
    let refusals = [432, 450, 451, 452, 454, 455].into_iter();
    let refusals = refusals.chain(500..=504).chain([523, 530, 534, 535, 538]);
    for code in refusals.chain(550..=556) {
        let reply = client.ask(&format!("RCPT TO:<refuse{code}@example.org>"));
        assert!(reply.starts_with(&format!("{code} ")), "{code}: {reply}");
        assert!(reply.contains(" asked to refuse"), "{code}: {reply}");
    }
    client.says(
        "RCPT TO:<refuse421@example.org>",
        "421 4.7.1 asked to refuse",
    );
    client.expect_close();
}
