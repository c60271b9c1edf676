//! What plugins see and may change, checked from inside by the guest `conformance`, and from outside.

use std::collections::BTreeMap;

use postgate_tests::backend::Backend;
use postgate_tests::certificate::Authority;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use serde_json::Value;

const CLEAR_AUTH: &str = "auth = \"optional\"\nauth-in-clear = true";

/// A gateway with the guest, in front of a working backend.
fn start(config: &str) -> (Gateway, Backend) {
    start_with(config, "")
}

fn start_with(config: &str, settings: &str) -> (Gateway, Backend) {
    let backend = Backend::working();
    let sidecar = format!(
        "grants = [\"clock\", \"random\", \"store\"]\nlimits.log-lines = 1000\n[config]\n{config}"
    );
    let setup = Setup::new().backend(&backend.smtp()).listener(CLEAR_AUTH);
    let setup = setup.set(settings);
    let setup = setup.plugin("10-conformance", "guests/conformance", &sidecar);
    (setup.start(), backend)
}

/// What the guest wrote in the sessions of a gateway, once so many of them are over.
fn said(gateway: &Gateway, sessions: usize) -> Vec<String> {
    gateway.log().wait_for_all("disconnects", sessions, |line| {
        says(line).is_some_and(|text| text.starts_with("disconnect checks="))
    });
    let lines = gateway.log().find(|line| says(line).is_some());
    lines.iter().filter_map(says).collect()
}

fn says(line: &Value) -> Option<String> {
    if line["plugin"] != "10-conformance" || line["session"] == "load" {
        return None;
    }
    Some(line["says"].as_str()?.trim_matches('"').to_owned())
}

/// Nothing was found that does not hold, and much was looked at.
fn assert_conforms(said: &[String]) {
    let violations: Vec<_> = said
        .iter()
        .filter(|line| line.starts_with("violation"))
        .collect();
    assert!(violations.is_empty(), "{violations:#?}");
    let ends: Vec<_> = said
        .iter()
        .filter(|line| line.starts_with("disconnect checks="))
        .collect();
    for end in &ends {
        assert!(end.ends_with(" violations=0"), "{end}");
    }
    assert!(!ends.is_empty());
}

const MIXED: &[u8] = b"MIME-Version: (one) 1.0 (two)\r\nSubject: mixed\r\nX-Set: 1\r\nX-Set: 2\r\n\
    X-Gone: 1\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain\r\n\r\none\r\n\
    --b\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--b--\r\n";

#[test]
fn a_plugin_finds_everything_as_documented() {
    let (gateway, backend) = start("");
    let mut client = gateway.connect();
    client.expect("220 mx.example.org banner of conformance");
    client.says("NONSENSE", "500");
    client.says("XCONFORM now", "250 2.0.0 conforming");
    client.says(
        "EHLO client.example",
        "250-mx.example.org greeting of conformance",
    );
    client.says("AUTH PLAIN AGJvYgB3cm9uZw==", "535");
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "235");
    client.says("VRFY bob", "252");
    client.says("HELP", "214");
    client.says("MAIL FROM:<rewrite@client.example> SIZE=10 XMAIL=m", "250");
    client.says("RCPT TO:<move@example.org> NOTIFY=NEVER XRCPT=r", "250");
    client.says("RSET", "250");
    client.says("MAIL FROM:<rewrite@client.example>", "250");
    client.says("RCPT TO:<move@example.org>", "250");
    client.says("RCPT TO:<bob@example.org>", "250");
    let reply = client.message(MIXED);
    assert!(reply.starts_with("250"), "{reply}");
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "250");
    client.says("EHLO again.example", "250");
    for body in [&b""[..], b"\r\n", b"X: y\r\n", &vec![b'x'; 200_000]] {
        client.says("MAIL FROM:<>", "250");
        client.says("RCPT TO:<bob@example.org>", "250");
        client.write(format!("BDAT {} LAST\r\n", body.len()).as_bytes());
        client.write(body);
        client.expect("250");
    }
    client.says("QUIT", "221");
    let said = said(&gateway, 1);
    assert_conforms(&said);
    for reset in ["reset Cause::Rset", "reset Cause::Helo"] {
        let count = said.iter().filter(|line| *line == reset).count();
        assert_eq!(count, 1, "{said:#?}");
    }
    assert_eq!(backend.taken().len(), 5);
}

/// A message that is refused before it is complete ends its transaction with a reset.
#[test]
fn a_message_that_is_too_large_is_a_reset() {
    let (gateway, _backend) = start_with("", "limits.message-size = \"100KB\"");
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let large = [
        b"X: y\r\n\r\n".to_vec(),
        b"0123456789abcdef\r\n".repeat(10_000),
    ]
    .concat();
    let reply = client.message(&large);
    assert!(reply.starts_with("552"), "{reply}");
    client.says("QUIT", "221");
    let said = said(&gateway, 1);
    assert_conforms(&said);
    assert!(said.contains(&"reset Cause::Refused".to_owned()));
}

/// Every fact, at every event where it is defined, and its default before.
#[test]
fn every_fact_can_be_read_at_every_event() {
    let (gateway, _backend) = start("dump = true");
    let mut client = gateway.connect();
    client.expect("220");
    client.says("NONSENSE", "500");
    client.says("EHLO client.example", "250");
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "235");
    client.says("MAIL FROM:<alice@client.example> SIZE=10 XMAIL=m", "250");
    client.says("RCPT TO:<carol@example.org> NOTIFY=NEVER XRCPT=r", "250");
    client.says("RCPT TO:<dave@example.org>", "250");
    assert!(client.message(MIXED).starts_with("250"));
    let ports =
        [client.local_address(), gateway.address()].map(|address| address.port().to_string());
    client.says("QUIT", "221");
    let said = said(&gateway, 1);
    assert_conforms(&said);
    let facts = facts(&said);
    const EVENTS: [&str; 10] = [
        "connect",
        "helo",
        "auth",
        "mail",
        "rcpt",
        "data",
        "headers",
        "body-chunk",
        "message",
        "outcome",
    ];
    // The name of a fact, its default, the event from which on it is defined, and what it is then.
    let table = [
        ("listener", "", "connect", "main"),
        ("hostname", "", "connect", "mx.example.org"),
        ("remote-ip", "", "connect", "127.0.0.1"),
        ("remote-port", "", "connect", ports[0].as_str()),
        ("local-port", "", "connect", ports[1].as_str()),
        ("remote-host", "", "connect", "127.0.0.1"),
        ("remote-host-check", "", "connect", "HostCheck::Unknown"),
        ("local-ip", "", "connect", "127.0.0.1"),
        ("proxy", "", "connect", "None"),
        ("line-endings", "", "connect", "LineEndingMode::Strict"),
        ("encrypted", "", "connect", "false"),
        ("tls-version", "", "connect", "-"),
        ("tls-since", "", "connect", "0"),
        ("banner", "ESMTP Postgate", "helo", "banner of conformance"),
        (
            "greeting",
            "at your service",
            "helo",
            "greeting of conformance",
        ),
        ("tags", "[]", "helo", r#"[(\"kept\", \"since connect\")]"#),
        ("helo", "HeloKind::None", "helo", "HeloKind::Ehlo"),
        ("helo-name", "", "helo", "client.example"),
        ("error-count", "0", "helo", "1"),
        ("errors", "", "helo", "unknown-verb"),
        ("authenticated-as", "-", "mail", "bob"),
        ("auth-mechanism", "-", "mail", "PLAIN"),
        ("auth-identity", "-", "mail", "bob"),
        ("auth-since", "0", "mail", "1"),
        ("sender", "-", "mail", "<alice@client.example>"),
        (
            "mail-parameters",
            "[]",
            "mail",
            r#"[(\"SIZE\", \"10\"), (\"XMAIL\", \"m\")]"#,
        ),
        (
            "recipients",
            "",
            "data",
            "carol@example.org dave@example.org",
        ),
        (
            "recipient-parameters",
            "[]",
            "rcpt",
            r#"[(\"NOTIFY\", \"NEVER\"), (\"XRCPT\", \"r\")]"#,
        ),
        ("headers-complete", "false", "headers", "true"),
        ("started-at", "0", "headers", "1"),
        ("completed-at", "0", "message", "1"),
    ];
    let place = |event: &str| EVENTS.iter().position(|name| *name == event).unwrap();
    for (name, default, since, then) in table {
        for event in EVENTS {
            // The last RCPT sees the first.
            let is_first = (name, event) == ("recipients", "rcpt");
            let expected = match place(event) >= place(since) {
                _ if is_first => "carol@example.org",
                true => then,
                false => default,
            };
            let got = facts.get(&(event, name)).copied();
            assert_eq!(got, Some(expected), "{name} at {event}");
        }
    }
    for (name, event, expected) in [
        ("protocol", "connect", "SMTP"),
        ("protocol", "helo", "ESMTP"),
        ("protocol", "mail", "ESMTPA"),
        ("subject", "headers", "mixed"),
        ("subject", "message", "replaced"),
        ("body-size", "headers", "0"),
        ("authenticated-as", "disconnect", "bob"),
        ("sender", "disconnect", "-"),
    ] {
        assert_eq!(
            facts.get(&(event, name)).copied(),
            Some(expected),
            "{name} at {event}"
        );
    }
    let version = facts[&("message", "mime-version")];
    for part in ["1.0", "one", "two"] {
        assert!(version.contains(part), "{version}");
    }
    let id = facts[&("mail", "transaction-id")];
    assert_eq!(facts[&("message", "message-id")], id);
    assert_eq!(facts[&("outcome", "message-id")], format!("conform-{id}"));
}

/// SMTP after HELO, ESMTP after EHLO, and what was first is forgotten.
#[test]
fn a_plugin_sees_which_greeting_it_was() {
    let (gateway, _backend) = start("dump = true");
    for (number, (greetings, kind, protocol)) in [
        (&["HELO client.example"][..], "HeloKind::Helo", "SMTP"),
        (&["EHLO client.example"], "HeloKind::Ehlo", "ESMTP"),
        (
            &["HELO client.example", "EHLO client.example"],
            "HeloKind::Ehlo",
            "ESMTP",
        ),
        (
            &["EHLO client.example", "HELO client.example"],
            "HeloKind::Helo",
            "SMTP",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = gateway.connect();
        client.expect("220");
        for greeting in greetings {
            client.says(greeting, "250");
        }
        client.says("MAIL FROM:<alice@client.example>", "250");
        client.says("QUIT", "221");
        let said = said(&gateway, number + 1);
        assert_conforms(&said);
        let facts = facts(&said);
        for (event, kind, protocol) in [
            ("connect", "HeloKind::None", "SMTP"),
            ("helo", kind, protocol),
            ("mail", kind, protocol),
        ] {
            assert_eq!(facts[&(event, "helo")], kind, "{greetings:?} at {event}");
            assert_eq!(
                facts[&(event, "protocol")],
                protocol,
                "{greetings:?} at {event}"
            );
        }
    }
}

/// The envelope of the second message begins empty; the name, TLS and the user stay.
#[test]
fn the_message_after_another_begins_with_nothing() {
    let authority = Authority::new("tests");
    let backend = Backend::working();
    let sidecar = "grants = [\"clock\", \"random\", \"store\"]\nlimits.log-lines = 1000\n[config]\ndump = true";
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .certified_by(&authority)
        .listener("tls = \"optional\"\nauth = \"optional\"")
        .plugin("10-conformance", "guests/conformance", sidecar)
        .start();
    let config = authority.client();
    let mut client = Client::start_tls(gateway.address(), &config, "mx.example.org");
    client.says("EHLO client.example", "250");
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "235");
    for (sender, recipients) in [
        ("alice", &["bob@example.org", "carol@example.org"][..]),
        ("dora", &["emil@example.org"]),
    ] {
        client.envelope(&format!("{sender}@client.example"), recipients);
        let reply = client.message(format!("X-Of: {sender}\r\n\r\n").as_bytes());
        assert!(reply.starts_with("250"), "{reply}");
    }
    client.says("QUIT", "221");
    let said = said(&gateway, 1);
    assert_conforms(&said);
    let facts = facts(&said);
    for (name, value) in [
        ("sender", "<dora@client.example>"),
        ("recipients", "emil@example.org"),
        ("helo-name", "client.example"),
        ("protocol", "ESMTPSA"),
        ("tls-version", "TLSv1.3"),
        ("authenticated-as", "bob"),
    ] {
        assert_eq!(facts[&("message", name)], value, "{name}");
    }
    let taken = backend.taken();
    assert_eq!(taken.len(), 2);
    assert!(taken[1].mail.starts_with("MAIL FROM:<dora@client.example>"));
    assert_eq!(taken[1].recipients, ["RCPT TO:<emil@example.org>"]);
    for (mail, sender) in taken.iter().zip(["alice", "dora"]) {
        let content = String::from_utf8_lossy(&mail.content);
        assert!(content.contains(" with ESMTPSA id"), "{content}");
        let of: Vec<_> = content
            .lines()
            .filter(|line| line.starts_with("X-Of:"))
            .collect();
        assert_eq!(of, [format!("X-Of: {sender}")]);
    }
}

/// The same at events that are none of a transaction's own, in the middle of one and after it.
#[test]
fn every_fact_can_be_read_at_questions_and_ends() {
    let (gateway, _backend) = start("dump = true");
    let mut client = gateway.connect();
    client.expect("220");
    client.says("EHLO client.example", "250");
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "235");
    client.says("MAIL FROM:<alice@client.example> XMAIL=m", "250");
    client.says("RCPT TO:<carol@example.org>", "250");
    for question in ["VRFY carol", "EXPN staff", "HELP", "NONSENSE"] {
        client.ask(question);
    }
    client.says("RSET", "250");
    client.says("QUIT", "221");
    let said = said(&gateway, 1);
    assert_conforms(&said);
    let facts = facts(&said);
    let of_session = [
        ("listener", "main"),
        ("hostname", "mx.example.org"),
        ("remote-ip", "127.0.0.1"),
        ("helo", "HeloKind::Ehlo"),
        ("helo-name", "client.example"),
        ("protocol", "ESMTPA"),
        ("authenticated-as", "bob"),
        ("auth-mechanism", "PLAIN"),
        ("banner", "banner of conformance"),
        ("greeting", "greeting of conformance"),
        ("encrypted", "false"),
        ("headers-complete", "false"),
        ("body-size", "0"),
    ];
    let under_way = [
        ("sender", "<alice@client.example>"),
        ("recipients", "carol@example.org"),
        ("mail-parameters", r#"[(\"XMAIL\", \"m\")]"#),
    ];
    let over = [
        ("sender", "-"),
        ("recipients", ""),
        ("mail-parameters", "[]"),
    ];
    for (event, transaction) in [
        ("vrfy", under_way),
        ("expn", under_way),
        ("help", under_way),
        ("reset", over),
        ("disconnect", over),
    ] {
        for (name, expected) in of_session.into_iter().chain(transaction) {
            let got = facts.get(&(event, name)).copied();
            assert_eq!(got, Some(expected), "{name} at {event}");
        }
    }
}

/// What was dumped last, by event and name.
fn facts(said: &[String]) -> BTreeMap<(&str, &str), &str> {
    said.iter()
        .filter_map(|line| {
            let (event, fact) = line.split_once(' ')?;
            let (name, value) = fact.split_once('=')?;
            Some(((event, name), value))
        })
        .collect()
}

/// Whatever stands where MIME should, a message is taken and can be looked at.
#[test]
fn malformed_mime_is_taken() {
    let (gateway, backend) = start("");
    let mut client = Client::greeted(gateway.address());
    let messages: [&[u8]; 8] = [
        b"Content-Type: multipart/mixed\r\n\r\n--\r\n--\r\n",
        b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n",
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n--a\r\n--b--\r\n",
        b"Content-Type: ;;;=\r\nContent-Transfer-Encoding: ?\r\nMIME-Version: (\r\n\r\nx\r\n",
        b"Content-Type: text/plain; charset=nonsense\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
        b"Content-Type: text/html; charset=utf-16\r\n\r\n\xff\xfe\xd8\r\n",
        b"Content-Type: message/rfc822\r\n\r\n\r\n",
        b"Content-Type: text/plain; name*0*=''%; name*1=\"\r\n\r\n\x80\r\n",
    ];
    for message in messages {
        client.envelope("alice@client.example", &["bob@example.org"]);
        let reply = client.message(message);
        assert!(
            reply.starts_with("250"),
            "{}: {reply}",
            message.escape_ascii()
        );
    }
    client.says("QUIT", "221");
    assert_conforms(&said(&gateway, 1));
    assert_eq!(backend.taken().len(), messages.len());
}

/// The canonical session, which begins anew after TLS.
#[test]
fn a_session_with_tls_and_authentication_conforms() {
    let authority = Authority::new("tests");
    let backend = Backend::working();
    let setup = Setup::new().backend(&backend.smtp());
    let (chain, key) = authority
        .issue(&["mx.example.org"])
        .write(setup.directory(), "mx");
    let sidecar = "grants = [\"clock\", \"random\", \"store\"]\nlimits.log-lines = 1000\n[config]\ndump = true";
    let gateway = setup
        .set(&format!(
            "certificate = [{{ name = \"mx\", chain = {chain:?}, key = {key:?} }}]"
        ))
        .listener("tls = \"optional\"\nauth = \"optional\"")
        .plugin("10-conformance", "guests/conformance", sidecar)
        .start();
    let mut client = Client::connect(gateway.address());
    client.expect("220");
    client.says("EHLO client.example", "250");
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.says("STARTTLS", "220");
    client
        .handshake(&authority.client(), "mx.example.org")
        .unwrap();
    client.says("EHLO client.example", "250");
    client.says("AUTH PLAIN AGJvYgBzZWNyZXQ=", "235");
    client.envelope(
        "alice@client.example",
        &["carol@example.org", "dave@example.org"],
    );
    assert!(client.message(MIXED).starts_with("250"));
    client.says("QUIT", "221");
    let said = said(&gateway, 1);
    assert_conforms(&said);
    // Each event dumps its facts, of which this is one.
    let is_event = |line: &&String| line.contains(" hostname=");
    let events: Vec<_> = said
        .iter()
        .filter(is_event)
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    let expected = [
        "connect",
        "helo",
        "mail",
        "rcpt",
        "starttls",
        "reset",
        "helo",
        "auth",
        "mail",
        "rcpt",
        "rcpt",
        "data",
        "headers",
        "body-chunk",
        "message",
        "outcome",
        "disconnect",
    ];
    assert_eq!(events, expected);
    for fact in [
        "starttls encrypted=false",
        "starttls tls-version=-",
        "auth encrypted=true",
        "auth tls-version=TLSv1.3",
        "auth tls-since=1",
        "auth tls-server-name=mx.example.org",
        "auth protocol=ESMTPS",
        "auth authenticated-as=-",
        "mail authenticated-as=bob",
        "mail protocol=ESMTPSA",
    ] {
        assert!(said.iter().any(|line| line == fact), "no {fact}");
    }
}

/// A hundred users at once, each of whom every event sees as the same one.
#[test]
fn parallel_users_are_not_mixed_up() {
    const USERS: usize = 100;
    let (gateway, backend) = start("one-name = true");
    let mut clients: Vec<_> = (0..USERS).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.expect("220");
    }
    let mut all = |line: &dyn Fn(usize) -> String, expected: &str| {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(&line(number));
        }
        for client in &mut clients {
            client.expect(expected);
        }
    };
    all(&|user| format!("EHLO u{user}.example"), "250");
    all(
        &|user| format!("AUTH PLAIN {}", plain(&format!("u{user}"))),
        "235",
    );
    all(&|user| format!("MAIL FROM:<u{user}@client.example>"), "250");
    all(&|user| format!("RCPT TO:<u{user}@example.org>"), "250");
    all(&|_| "DATA".into(), "354");
    all(&|user| format!("Subject: u{user}\r\n\r\nbody\r\n."), "250");
    all(&|_| "QUIT".into(), "221");
    assert_conforms(&said(&gateway, USERS));
    assert_eq!(backend.taken().len(), USERS);
}

/// `\0user\0secret` in base64.
fn plain(user: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = format!("\0{user}\0secret");
    let encoded = text.as_bytes().chunks(3).flat_map(|chunk| {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet));
        let bits = bits << (8 * (3 - chunk.len()));
        (0..4).map(move |place| match place <= chunk.len() {
            true => char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63]),
            false => '=',
        })
    });
    encoded.collect()
}
