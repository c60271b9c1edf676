//! What the backend gets is what the client sent, and what the backend says is what the client
//! hears.

use postgate_tests::backend::{Act, Backend, Step};
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::{awkward, digest, fields, maildir, split};
use postgate_tests::peer::{Dovecot, program, run};

const SMALL_MEMORY: &str = "[limits]\nspool-memory = \"64KiB\"";

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
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .set(SMALL_MEMORY)
        .start();
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

/// One recipient is named in it; of several, none learns of the others.
#[test]
fn a_trace_field_says_who_had_the_message() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut received = Vec::new();
    for recipients in [
        &["bob@example.org"][..],
        &["bob@example.org", "carol@example.org"],
    ] {
        let mut client = Client::greeted(gateway.address());
        client.envelope("alice@client.example", recipients);
        assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
        let content = backend.taken().pop().unwrap().content;
        received.push(fields(&content).remove(0).replace("\r\n", ""));
    }
    for field in &received {
        assert!(
            field.starts_with("Received: from client.example ("),
            "{field}"
        );
        for sign in [
            "[127.0.0.1])",
            "by mx.example.org",
            "with ESMTP",
            " id ",
            "; ",
        ] {
            assert!(field.contains(sign), "no {sign} in {field}");
        }
        let (_, date) = field.rsplit_once("; ").expect("a date");
        let script = "import email.utils, sys; email.utils.parsedate_to_datetime(sys.argv[1])";
        let output = run(program("python3").args(["-c", script, date.trim()]));
        assert!(output.status.success(), "{date}");
    }
    assert!(
        received[0].contains("for <bob@example.org>"),
        "{}",
        received[0]
    );
    assert!(!received[1].contains("@example.org>"), "{}", received[1]);
}

#[test]
fn a_message_reaches_a_maildir_unchanged() {
    let gateway = Setup::new().set(SMALL_MEMORY).start();
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
