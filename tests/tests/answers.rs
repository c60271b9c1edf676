//! What a plugin says is what the client hears, whatever the code, the event and the words.

use std::sync::Mutex;
use std::thread;

use postgate_tests::backend::Backend;
use postgate_tests::certificate::Authority;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};

/// Every code with which a plugin can refuse.
const CODES: [u16; 25] = [
    421, 432, 450, 451, 452, 454, 455, 500, 501, 502, 503, 504, 521, 523, 530, 534, 535, 538, 550,
    551, 552, 553, 554, 555, 556,
];

/// The events at which a plugin can refuse, in an order in which a session meets them, each with what the
/// guest `scripted` is asked then.
const EVENTS: [(&str, &str); 15] = [
    ("proxy", "proxy"),
    ("connect", "connect"),
    ("helo", "helo EHLO refused.example"),
    ("command", "command XOINK"),
    ("vrfy", "vrfy refused"),
    ("expn", "expn refused"),
    ("help", "help refused"),
    ("starttls", "starttls"),
    ("auth", "auth PLAIN bob"),
    ("mail", "mail <refused@client.example>"),
    ("rcpt", "rcpt <refused@example.org>"),
    ("data", "data"),
    ("headers", "headers"),
    ("body-chunk", "body-chunk 0"),
    ("message", "message"),
];

/// A refusal of two lines, with an enhanced status code that no default has.
fn refusal(code: u16) -> String {
    format!("refuse {code} {}.6.66 first / second", code / 100)
}

/// The same refusal as the client hears it.
fn heard(code: u16) -> String {
    let class = code / 100;
    format!("{code}-{class}.6.66 first\n{code} {class}.6.66 second")
}

/// A gateway whose plugin gives these answers, and its backend.
fn start(authority: &Authority, answers: &[String]) -> (Gateway, Backend) {
    let backend = Backend::working();
    let answers: Vec<_> = answers.iter().map(String::as_str).collect();
    let is_proxied = answers.iter().any(|answer| answer.starts_with("proxy"));
    let setup = Setup::new()
        .backend(&backend.smtp())
        .certified_by(authority)
        .listener("tls = \"optional\"\nauth = \"optional\"\nauth-in-clear = true")
        .scripted(&answers);
    let setup = match is_proxied {
        true => setup.listener("proxy = \"required\"\nproxy-from = [\"127.0.0.1\"]"),
        false => setup,
    };
    (setup.start(), backend)
}

/// The same session, on which the client does what the event is about.
fn provoke(client: &mut Client, event: &str) -> String {
    let transaction = |client: &mut Client| {
        client.envelope("alice@client.example", &["bob@example.org"]);
        client.message(b"Subject: x\r\n\r\nbody\r\n")
    };
    match event {
        "command" => client.ask("XOINK"),
        "expn" | "help" | "vrfy" => client.ask(&format!("{event} refused")),
        "starttls" => client.ask("STARTTLS"),
        "auth" => client.ask("AUTH PLAIN AGJvYgBzZWNyZXQ="),
        "mail" => client.ask("MAIL FROM:<refused@client.example>"),
        "rcpt" => {
            client.says("MAIL FROM:<alice@client.example>", "250");
            client.ask("RCPT TO:<refused@example.org>")
        }
        "data" => {
            client.says("RSET", "250");
            client.envelope("alice@client.example", &["bob@example.org"]);
            client.ask("DATA")
        }
        "headers" | "body-chunk" | "message" => {
            client.says("RSET", "250");
            transaction(client)
        }
        _ => unreachable!("{event} comes before the greeting"),
    }
}

/// A session up to the event, with the reply to what the event is about.
fn meet(gateway: &Gateway, event: &str) -> (Client, String) {
    let mut client = gateway.connect();
    if event == "proxy" {
        client.send("PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222");
    }
    if matches!(event, "proxy" | "connect") {
        let reply = client.reply();
        return (client, reply);
    }
    client.expect("220 ");
    let reply = match event {
        "helo" => client.ask("EHLO refused.example"),
        _ => {
            client.says("EHLO client.example", "250");
            provoke(&mut client, event)
        }
    };
    (client, reply)
}

/// Does the work for each item, four at a time.
fn for_each<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let items = Mutex::new(items.iter());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(item) = { items.lock().expect("no panic").next() } {
                    work(item);
                }
            });
        }
    });
}

/// One session meets all events behind the greeting, and is refused at each.
#[test]
fn a_refusal_with_any_code_reaches_the_client_at_every_event() {
    let authority = Authority::new("answers");
    let goes_on: Vec<_> = CODES.into_iter().filter(|code| !closes(*code)).collect();
    for_each(&goes_on, |code| {
        let answers = EVENTS[2..].iter();
        let answers = answers.map(|(_, question)| format!("{question} {}", refusal(*code)));
        let (gateway, backend) = start(&authority, &answers.collect::<Vec<_>>());
        let mut client = gateway.connect();
        client.expect("220 ");
        assert_eq!(client.ask("EHLO refused.example"), heard(*code), "helo");
        client.says("EHLO client.example", "250");
        for (event, _) in &EVENTS[3..] {
            let reply = provoke(&mut client, event);
            assert_eq!(reply, heard(*code), "{event}");
        }
        assert_eq!(backend.taken(), []);
        // What nobody refuses any more is taken.
        client.says("RSET", "250");
        client.envelope("refused@client.example", &["refused@example.org"]);
        assert!(
            client
                .message(b"Subject: x\r\n\r\nbody\r\n")
                .starts_with("250")
        );
        assert_eq!(backend.taken().len(), 1);
    });
}

/// Before the banner, only QUIT is left (RFC 5321 section 3.1), or nothing where a proxy spoke.
#[test]
fn a_refusal_with_any_code_reaches_the_client_before_the_banner() {
    let authority = Authority::new("answers");
    let goes_on = CODES.into_iter().filter(|code| !closes(*code));
    let goes_on: Vec<_> = goes_on
        .flat_map(|code| [(code, "proxy"), (code, "connect")])
        .collect();
    for_each(&goes_on, |(code, event)| {
        let (gateway, _backend) = start(&authority, &[format!("{event} {}", refusal(*code))]);
        let (mut client, reply) = meet(&gateway, event);
        assert_eq!(reply, heard(*code), "{event}");
        if *event == "connect" {
            client.says("EHLO client.example", "503 5.5.1");
            client.says("QUIT", "221");
        }
        client.expect_close();
    });
}

/// The reply, and then the end: 421 (RFC 5321 section 3.8), 521 (RFC 7504) and a `disconnect`.
#[test]
fn a_refusal_that_closes_does_so_at_every_event() {
    let authority = Authority::new("answers");
    let closing = [421, 521].map(|code| (code, refusal(code)));
    let parting = (554, refusal(554).replace("refuse", "disconnect"));
    let cases: Vec<_> = EVENTS
        .iter()
        .flat_map(|event| {
            closing
                .iter()
                .chain([&parting])
                .map(move |case| (event, case))
        })
        .collect();
    for_each(&cases, |((event, question), (code, refusal))| {
        let (gateway, backend) = start(&authority, &[format!("{question} {refusal}")]);
        let (mut client, reply) = meet(&gateway, event);
        assert_eq!(reply, heard(*code), "{event}");
        client.expect_close();
        assert_eq!(backend.taken(), []);
    });
}

const fn closes(code: u16) -> bool {
    matches!(code, 421 | 521)
}

/// What the kit for authors has ready.
#[test]
fn ready_made_refusals_reach_the_client() {
    let gateway = Setup::new().plugin("10-codes", "guests/codes", "").start();
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    for (name, reply) in [
        ("no-such-mailbox", "550 5.1.1 No such mailbox"),
        ("mailbox-full", "552 5.2.2 Mailbox full"),
        (
            "mailbox-full-for-now",
            "452 4.2.2 Mailbox full, try again later",
        ),
        ("relay-denied", "550 5.7.1 Relay access denied"),
        ("bob", "250 2.1.5 Ok"),
    ] {
        assert_eq!(client.ask(&format!("RCPT TO:<{name}@example.org>")), reply);
    }
}

/// One recipient that a plugin refuses costs the others nothing.
#[test]
fn the_recipients_that_are_left_have_the_message() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .scripted(&["rcpt <nobody@example.org> refuse 550 5.1.1 no such user"])
        .start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.says("RCPT TO:<nobody@example.org>", "550 5.1.1 no such user");
    client.says("RCPT TO:<carol@example.org>", "250");
    assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
    let taken = backend.taken();
    assert_eq!(taken.len(), 1);
    let recipients = ["RCPT TO:<bob@example.org>", "RCPT TO:<carol@example.org>"];
    assert_eq!(taken[0].recipients, recipients);
}
