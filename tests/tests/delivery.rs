//! What the backend gets is what the client sent, and what the backend says is what the client
//! hears.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use postgate_tests::backend::{Act, Backend, Event, Step};
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::{awkward, digest, fields, maildir, split};
use postgate_tests::peer::{Dovecot, free_address};

const TIMEOUTS: &str = "[limits]\nspool-memory = \"64KiB\"";

fn send(gateway: &Gateway, message: &[u8]) -> String {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.message(message)
}

/// The body is the same to the octet, and below what hosts have added the header block is too.
fn assert_untouched(sent: &[u8], arrived: &[u8]) {
    let (_, sent_body) = split(sent);
    let (_, arrived_body) = split(arrived);
    assert_eq!(digest(sent_body), digest(arrived_body));
    let (sent, arrived) = (fields(sent), fields(arrived));
    assert!(
        arrived.ends_with(&sent),
        "the header block was changed: {arrived:#?}"
    );
}

#[test]
fn a_message_reaches_an_smtp_backend_unchanged() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).set(TIMEOUTS).start();
    // From nearly nothing to far beyond what is kept in memory.
    for size in [1, 5_000, 60_000, 70_000, 3_000_000] {
        let message = awkward(size);
        let reply = send(&gateway, &message);
        assert!(reply.starts_with("250 2.0.0"), "{size}: {reply}");
        let arrived = backend.taken().pop().unwrap();
        assert_untouched(&message, &arrived.content);
    }
    assert_eq!(backend.taken().len(), 5);
}

#[test]
fn a_message_reaches_a_maildir_unchanged() {
    let gateway = Setup::new().set(TIMEOUTS).start();
    let message = awkward(100_000);
    let reply = send(&gateway, &message);
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let messages = maildir(&gateway.maildir());
    assert_eq!(messages.len(), 1);
    assert_untouched(&message, &messages[0]);
    let first = fields(&messages[0]).remove(0);
    assert_eq!(first, "Return-Path: <alice@client.example>");
}

#[test]
fn a_message_reaches_dovecot_unchanged() {
    let dovecot = Dovecot::start();
    let gateway = Setup::new().backend(&dovecot.lmtp()).start();
    let message = awkward(100_000);
    let mut client = Client::greeted(gateway.address());
    client.envelope(
        "alice@client.example",
        &["bob@example.org", "carol@example.org"],
    );
    let reply = client.message(&message);
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    for user in ["bob@example.org", "carol@example.org"] {
        let messages = dovecot.messages(user);
        assert_eq!(messages.len(), 1, "{user}");
        // Dovecot keeps mail with the line ends of the system.
        assert_untouched(&message, &with_crlf(&messages[0]));
    }
}

fn with_crlf(message: &[u8]) -> Vec<u8> {
    let lines: Vec<_> = message.split(|octet| *octet == b'\n').collect();
    lines.join(&b"\r\n"[..])
}

#[test]
fn the_reply_is_that_of_the_backend() {
    let backend = Backend::scripted(|event| match &event.step {
        Step::Rcpt(line) if line.contains("<full@") => Act::reply("452 4.2.2 Mailbox full"),
        Step::Rcpt(line) if line.contains("<gone@") => Act::reply("550 5.1.1 No such user here"),
        Step::Rcpt(line) if line.contains("<many@") => {
            Act::Say("550-5.1.1 first line\r\n550 5.1.1 second line\r\n".to_owned())
        }
        Step::Message { .. } => Act::reply("250 2.0.0 Ok: queued as A1B2C3"),
        _ => Act::Work,
    });
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert_eq!(
        client.ask("RCPT TO:<full@example.org>"),
        "452 4.2.2 Mailbox full"
    );
    assert_eq!(
        client.ask("RCPT TO:<gone@example.org>"),
        "550 5.1.1 No such user here"
    );
    let many = client.ask("RCPT TO:<many@example.org>");
    assert_eq!(many, "550-5.1.1 first line\n550 5.1.1 second line");
    let taken = client.message(b"Subject: x\r\n\r\n");
    assert!(
        taken.starts_with("250 2.0.0") && taken.contains("A1B2C3"),
        "{taken}"
    );
    let mail = backend.taken().pop().unwrap();
    assert_eq!(mail.recipients, ["RCPT TO:<bob@example.org>"]);
}

#[test]
fn envelope_and_parameters_are_passed_on() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<> BODY=8BITMIME", "250");
    client.says("RCPT TO:<Bob.Smith@Example.ORG>", "250");
    assert!(
        client
            .message(b"Subject: caf\xe9\r\n\r\n")
            .starts_with("250")
    );
    let mail = backend.taken().pop().unwrap();
    assert!(mail.mail.starts_with("MAIL FROM:<>"), "{}", mail.mail);
    assert!(mail.mail.contains(" BODY=8BITMIME"), "{}", mail.mail);
    assert_eq!(mail.recipients, ["RCPT TO:<Bob.Smith@Example.ORG>"]);
}

/// What a backend does, at which step, and what the client is told. The first recipient makes the
/// gateway connect, so it hears of everything up to RCPT.
#[test]
fn a_backend_in_trouble_never_becomes_a_yes() {
    type Is = fn(&Step<'_>) -> bool;
    let connect: Is = |step| matches!(step, Step::Connect);
    let helo: Is = |step| matches!(step, Step::Helo(_));
    let mail: Is = |step| matches!(step, Step::Mail(_));
    let rcpt: Is = |step| matches!(step, Step::Rcpt(_));
    let data: Is = |step| matches!(step, Step::Data);
    let message: Is = |step| matches!(step, Step::Message { .. });
    let say = Act::reply;
    let table: [(&str, Is, Act, Heard); 26] = [
        (
            "greeting 554",
            connect,
            say("554 5.3.2 no"),
            Heard::Rcpt("451 4.3.0"),
        ),
        (
            "greeting 421",
            connect,
            say("421 4.3.2 busy"),
            Heard::Rcpt("451 4.3.0"),
        ),
        (
            "greeting close",
            connect,
            Act::Close,
            Heard::Rcpt("451 4.4.2"),
        ),
        (
            "greeting hang",
            connect,
            Act::Hang,
            Heard::Rcpt("451 4.4.2"),
        ),
        (
            "greeting garbage",
            connect,
            say("SSH-2.0-OpenSSH"),
            Heard::Rcpt("451 4.3.0"),
        ),
        (
            "helo 500",
            helo,
            say("500 5.5.1 what"),
            Heard::Rcpt("451 4.3.0"),
        ),
        ("helo close", helo, Act::Close, Heard::Rcpt("451 4.4.2")),
        ("helo hang", helo, Act::Hang, Heard::Rcpt("451 4.4.2")),
        (
            "mail 550",
            mail,
            say("550 5.7.1 not you"),
            Heard::Rcpt("550 5.7.1 not you"),
        ),
        (
            "mail 452",
            mail,
            say("452 4.3.1 full"),
            Heard::Rcpt("452 4.3.1 full"),
        ),
        ("mail close", mail, Act::Close, Heard::Rcpt("451 4.4.2")),
        ("mail hang", mail, Act::Hang, Heard::Rcpt("451 4.4.2")),
        (
            "rcpt 550",
            rcpt,
            say("550 5.1.1 who"),
            Heard::Rcpt("550 5.1.1 who"),
        ),
        (
            "rcpt 421",
            rcpt,
            say("421 4.3.2 bye"),
            Heard::Rcpt("451 4.3.0"),
        ),
        ("rcpt close", rcpt, Act::Close, Heard::Rcpt("451 4.4.2")),
        ("rcpt hang", rcpt, Act::Hang, Heard::Rcpt("451 4.4.2")),
        (
            "rcpt garbage",
            rcpt,
            say("\0\0\0"),
            Heard::Rcpt("451 4.3.0"),
        ),
        (
            "rcpt code 999",
            rcpt,
            say("999 what"),
            Heard::Rcpt("451 4.3.0"),
        ),
        (
            "data 554",
            data,
            say("554 5.7.1 no data"),
            Heard::Message("554 5.7.1 no data"),
        ),
        ("data close", data, Act::Close, Heard::Message("451 4.4.2")),
        ("data hang", data, Act::Hang, Heard::Message("451 4.4.2")),
        (
            "message 550",
            message,
            say("550 5.7.1 spam"),
            Heard::Message("550 5.7.1 spam"),
        ),
        (
            "message 452",
            message,
            say("452 4.3.1 full"),
            Heard::Message("452 4.3.1 full"),
        ),
        (
            "message close",
            message,
            Act::Close,
            Heard::Message("451 4.4.2"),
        ),
        (
            "message hang",
            message,
            Act::Hang,
            Heard::Message("451 4.4.2"),
        ),
        (
            "message garbage",
            message,
            say("yes"),
            Heard::Message("451 4.3.0"),
        ),
    ];
    for (name, is, act, heard) in table {
        let backend = Backend::scripted(move |event: &Event<'_>| match is(&event.step) {
            true => act.clone(),
            false => Act::Work,
        });
        let gateway = impatient(&backend.smtp());
        heard.check(name, &gateway);
        assert_eq!(backend.taken(), [], "{name}");
    }
}

/// Waits for a backend no longer than a test does.
fn impatient(backend: &str) -> Gateway {
    let backend = format!(
        "backend = [{{ name = \"store\", address = \"{backend}\", connect-timeout = \"300ms\", \
         command-timeout = \"300ms\", data-timeout = \"300ms\" }}]"
    );
    Setup::new().set(&backend).start()
}

/// At which command the client hears of the trouble, and what.
enum Heard {
    Rcpt(&'static str),
    Message(&'static str),
}

impl Heard {
    fn check(&self, name: &str, gateway: &Gateway) {
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        let rcpt = client.ask("RCPT TO:<bob@example.org>");
        match self {
            Self::Rcpt(expected) => assert!(rcpt.starts_with(expected), "{name}: {rcpt}"),
            Self::Message(expected) => {
                assert!(rcpt.starts_with("250"), "{name}: {rcpt}");
                let reply = client.message(b"Subject: x\r\n\r\n");
                assert!(reply.starts_with(expected), "{name}: {reply}");
            }
        }
        client.says("RSET", "250");
        client.says("QUIT", "221");
        client.expect_close();
    }
}

#[test]
fn a_backend_that_is_not_there_is_unreachable() {
    let nobody: SocketAddr = free_address();
    let gateway = Setup::new().backend(&format!("smtp://{nobody}")).start();
    Heard::Rcpt("451 4.4.1").check("nobody listens", &gateway);
}

#[test]
fn a_backend_that_comes_back_is_used_again() {
    let tries = AtomicUsize::new(0);
    let backend = Backend::scripted(move |event| match event.step {
        Step::Message { .. } if tries.fetch_add(1, Ordering::Relaxed) == 0 => Act::Close,
        _ => Act::Work,
    });
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(
        client
            .message(b"Subject: x\r\n\r\n")
            .starts_with("451 4.4.2")
    );
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
    assert_eq!(backend.taken().len(), 1);
}

#[test]
fn a_connection_serves_one_client_after_the_other() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    for _ in 0..5 {
        assert!(send(&gateway, b"Subject: x\r\n\r\n").starts_with("250"));
    }
    assert_eq!(backend.taken().len(), 5);
    assert_eq!(backend.transcripts().len(), 1, "one connection is enough");
}

#[test]
fn an_idle_connection_that_the_backend_closed_loses_nothing() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    for round in 1..=3 {
        assert!(
            send(&gateway, b"Subject: x\r\n\r\n").starts_with("250"),
            "round {round}"
        );
        assert_eq!(backend.taken().len(), round);
        backend.close_connections();
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_delivers_nothing() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    client.says("DATA", "354");
    client.write(b"Subject: half\r\n\r\nthe rest never");
    drop(client);
    gateway.log().wait_for_message("disconnected");
    assert_eq!(backend.taken(), []);
    // What the backend was told of the first message does not leak into the next.
    let mut client = Client::greeted(gateway.address());
    client.envelope("carol@client.example", &["dave@example.org"]);
    assert!(client.message(b"Subject: whole\r\n\r\n").starts_with("250"));
    let mail = backend.taken().remove(0);
    assert!(mail.mail.starts_with("MAIL FROM:<carol@"), "{}", mail.mail);
    assert_eq!(mail.recipients, ["RCPT TO:<dave@example.org>"]);
}

/// One of two recipients gets the message only at the second try; nobody gets it twice.
#[test]
fn a_mixed_result_over_lmtp_is_retried_and_not_doubled() {
    let tries = AtomicUsize::new(0);
    let backend = Backend::scripted(move |event| match event.step {
        Step::Message { rcpt, .. }
            if rcpt.contains("<carol@") && tries.fetch_add(1, Ordering::Relaxed) == 0 =>
        {
            Act::reply("450 4.2.1 busy")
        }
        _ => Act::Work,
    });
    let gateway = Setup::new().backend(&backend.lmtp()).start();
    let recipients = ["bob@example.org", "carol@example.org"];
    let message = b"Message-ID: <1@client.example>\r\nSubject: x\r\n\r\nhello\r\n";
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &recipients);
    let first = client.message(message);
    assert!(first.starts_with('4'), "{first}");
    drop(client);
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &recipients);
    let second = client.message(message);
    assert!(second.starts_with("250"), "{second}");
    let taken = backend.taken();
    let recipients: Vec<_> = taken.iter().flat_map(|mail| &mail.recipients).collect();
    assert_eq!(
        recipients,
        ["RCPT TO:<bob@example.org>", "RCPT TO:<carol@example.org>"]
    );
}
