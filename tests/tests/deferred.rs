//! Recipients that are refused only after the message has come.

use postgate_tests::backend::{Act, Backend, Step};
use postgate_tests::client::{Client, Reply};
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::mail::maildir;

const MESSAGE: &[u8] = b"Subject: hello\r\n\r\nbody\r\n";
const ALICE: &str = "alice@client.example";

/// A gateway with a guest that does as the client says, in front of a working backend.
fn start(guest: &str) -> (Gateway, Backend) {
    let backend = Backend::working();
    let setup = Setup::new().backend(&backend.smtp());
    let setup = setup.plugin("10-guest", guest, "");
    (setup.start(), backend)
}

fn send(gateway: &Gateway, sender: &str, recipients: &[&str], message: &[u8]) -> Reply {
    let mut client = Client::greeted(gateway.address());
    client.envelope(sender, recipients);
    client.message(message)
}

fn rcpts(backend: &Backend) -> Vec<String> {
    let taken = backend.taken().into_iter();
    taken.flat_map(|mail| mail.recipients).collect()
}

#[test]
fn where_all_are_deferred_the_backend_hears_nothing() {
    let (gateway, backend) = start("guests/verdicts");
    let reply = send(
        &gateway,
        ALICE,
        &["defer450@example.org", "defer550@example.org"],
        MESSAGE,
    );
    assert!(reply.starts_with("550 5.7.1 asked to refuse"), "{reply}");
    assert!(backend.transcripts().concat().is_empty());
    // Nobody has the message, so that there is nothing to be remembered.
    let reply = send(&gateway, ALICE, &["defer550@example.org"], MESSAGE);
    assert!(reply.starts_with("550"), "{reply}");
}

/// The reply to RCPT is the same for those who exist and those who do not.
#[test]
fn rcpt_does_not_tell_who_is_deferred() {
    let (gateway, _backend) = start("guests/verdicts");
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    let taken = client.ask("RCPT TO:<bob@example.org>");
    assert_eq!(taken, client.ask("RCPT TO:<defer550@example.org>"));
}

#[test]
fn the_others_get_the_message_once_and_the_client_hears_why_at_its_next_attempt() {
    let (gateway, backend) = start("guests/verdicts");
    let recipients = ["bob@example.org", "defer550@example.org"];
    let reply = send(&gateway, ALICE, &recipients, MESSAGE);
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    assert_eq!(rcpts(&backend), ["RCPT TO:<bob@example.org>"]);

    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "250");
    client.says(
        "RCPT TO:<defer550@example.org>",
        "550 5.7.1 asked to refuse",
    );
    let reply = client.message(MESSAGE);
    assert!(reply.starts_with("250 2.0.0 Delivered before"), "{reply}");
    assert_eq!(rcpts(&backend), ["RCPT TO:<bob@example.org>"]);

    // Another message of another sender has to do with none of this.
    let reply = send(&gateway, "carol@client.example", &recipients[..1], MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(rcpts(&backend).len(), 2);
    client.says("MAIL FROM:<carol@client.example>", "250");
    client.says("RCPT TO:<defer550@example.org>", "250");
}

#[test]
fn a_recipient_of_a_complete_message_can_be_refused() {
    let (gateway, backend) = start("guests/editor");
    let message = b"X-Refuse-Recipient: bob@example.org\r\n\r\nbody\r\n";
    let reply = send(&gateway, ALICE, &["bob@example.org"], message);
    assert!(reply.starts_with("550 5.7.1 not this message"), "{reply}");
    assert_eq!(backend.taken().len(), 0);

    let recipients = ["bob@example.org", "carol@example.org"];
    let reply = send(&gateway, ALICE, &recipients, message);
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    assert_eq!(rcpts(&backend), ["RCPT TO:<carol@example.org>"]);
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "550 5.7.1 not this message");
    client.says("RCPT TO:<carol@example.org>", "250");
    let reply = client.message(message);
    assert!(reply.starts_with("250 2.0.0 Delivered before"), "{reply}");
}

/// What was said once is not held against the next message.
#[test]
fn a_refusal_is_for_one_message() {
    let (gateway, backend) = start("guests/editor");
    let message = b"X-Refuse-Recipient: bob@example.org\r\n\r\nbody\r\n";
    let recipients = ["bob@example.org", "carol@example.org"];
    let reply = send(&gateway, ALICE, &recipients, message);
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    // The client comes again with a transaction for each.
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "550 5.7.1 not this message");
    client.says("RSET", "250");
    client.envelope(ALICE, &recipients[1..]);
    let reply = client.message(message);
    assert!(reply.starts_with("250 2.0.0 Delivered before"), "{reply}");
    let reply = send(&gateway, ALICE, &recipients, MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    // It has heard the last of the first one: who sends that again wants it delivered again.
    let reply = send(&gateway, ALICE, &recipients[1..], message);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(backend.taken().len(), 3);
}

#[test]
fn a_client_that_is_cut_off_in_its_next_attempt_can_come_once_more() {
    let (gateway, backend) = start("guests/editor");
    let message = b"X-Refuse-Recipient: bob@example.org\r\n\r\nbody\r\n";
    let recipients = ["bob@example.org", "carol@example.org"];
    send(&gateway, ALICE, &recipients, message);
    let attempt = |bob: &str| {
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        client.says("RCPT TO:<bob@example.org>", bob);
        client.says("RCPT TO:<carol@example.org>", "250");
        client
    };
    drop(attempt("550 5.7.1 not this message"));
    let reply = attempt("250").message(message);
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    let reply = attempt("550 5.7.1 not this message").message(message);
    assert!(reply.starts_with("250 2.0.0 Delivered before"), "{reply}");
    assert_eq!(rcpts(&backend), ["RCPT TO:<carol@example.org>"]);
}

/// A gateway with one guest that defers and one that edits.
fn start_both(backend: &Backend) -> Gateway {
    Setup::new()
        .backend(&backend.smtp())
        .set("quarantine.maildir = \"quarantine\"")
        .plugin("10-verdicts", "guests/verdicts", "")
        .plugin("20-editor", "guests/editor", "")
        .start()
}

#[test]
fn who_is_added_gets_the_message_where_all_others_are_refused() {
    let backend = Backend::working();
    let gateway = start_both(&backend);
    let message = b"X-Add-Recipient: archive@example.org\r\n\r\nbody\r\n";
    for (recipient, expected) in [
        ("defer550@example.org", "550 5.7.1 asked to refuse"),
        ("defer450@example.org", "450 4.7.1 asked to refuse"),
        // The client comes again, and the message does not.
        ("defer450@example.org", "450 4.7.1 asked to refuse"),
    ] {
        let sender = format!("for-{recipient}.client.example");
        let reply = send(&gateway, &sender, &[recipient], message);
        assert!(reply.starts_with(expected), "{reply}");
    }
    assert_eq!(rcpts(&backend), ["RCPT TO:<archive@example.org>"; 2]);
}

/// The client has not named it, and cannot do anything about it.
#[test]
fn a_recipient_that_a_plugin_adds_is_never_the_end_of_a_message() {
    let backend = Backend::scripted(|event| match event.step {
        Step::Rcpt(line) if line.contains("archive") => Act::reply("550 5.1.1 who is that"),
        _ => Act::Work,
    });
    let gateway = start_both(&backend);
    let message = b"X-Add-Recipient: archive@example.org\r\n\r\nbody\r\n";
    for recipient in ["bob@example.org", "defer550@example.org"] {
        let reply = send(&gateway, ALICE, &[recipient], message);
        assert!(reply.starts_with("451 4.3.0"), "{recipient}: {reply}");
    }
    assert_eq!(backend.taken().len(), 0);
}

/// Where the message ends for the others makes no difference to who is refused.
#[test]
fn a_refused_recipient_hears_of_it_wherever_the_message_ends() {
    let backend = Backend::working();
    let gateway = start_both(&backend);
    for verdict in ["discard", "quarantine"] {
        let message = format!("X-Verdict: {verdict}\r\n\r\nbody\r\n");
        let message = message.as_bytes();
        let sender = format!("{verdict}@client.example");
        let recipients = [
            "bob@example.org",
            "defer550@example.org",
            "carol@example.org",
        ];
        let reply = send(&gateway, &sender, &recipients[1..2], message);
        assert!(reply.starts_with("550 5.7.1"), "{verdict}: {reply}");
        let reply = send(&gateway, &sender, &recipients, message);
        assert!(reply.starts_with("451 4.3.0"), "{verdict}: {reply}");
        let mut client = Client::greeted(gateway.address());
        client.says(&format!("MAIL FROM:<{sender}>"), "250");
        client.says("RCPT TO:<bob@example.org>", "250");
        client.says("RCPT TO:<defer550@example.org>", "550 5.7.1");
        client.says("RCPT TO:<carol@example.org>", "250");
        let reply = client.message(message);
        assert!(reply.starts_with("250"), "{verdict}: {reply}");
    }
    let quarantined = maildir(&gateway.directory().join("quarantine"));
    assert_eq!(quarantined.len(), 1);
    let head = "X-Envelope-To: <bob@example.org>\r\nX-Envelope-To: <carol@example.org>\r\n\
                Return-Path: <quarantine@client.example>\r\n";
    let text = String::from_utf8_lossy(&quarantined[0]);
    assert!(text.starts_with(head), "{text}");
    assert_eq!(backend.taken().len(), 0);
}

/// What a plugin makes of the sender is another one at each attempt, for all that the gateway knows.
#[test]
fn a_sender_that_is_rewritten_makes_no_difference() {
    let backend = Backend::working();
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .plugin("10-verdicts", "guests/verdicts", "")
        .plugin("20-editor", "guests/editor", "")
        .start();
    let message = b"X-Rewrite-Sender: list@client.example\r\n\r\nbody\r\n";
    for sender in [ALICE, "rewrite@client.example"] {
        let recipients = ["bob@example.org", "defer550@example.org"];
        let reply = send(&gateway, sender, &recipients, message);
        assert!(reply.starts_with("451 4.3.0"), "{sender}: {reply}");
        let mut client = Client::greeted(gateway.address());
        client.says(&format!("MAIL FROM:<{sender}>"), "250");
        client.says("RCPT TO:<bob@example.org>", "250");
        client.says("RCPT TO:<defer550@example.org>", "550 5.7.1");
        let reply = client.message(message);
        assert!(reply.starts_with("250 2.0.0 Delivered before"), "{reply}");
    }
    assert_eq!(backend.taken().len(), 2);
}

#[test]
fn chunks_make_no_difference() {
    let (gateway, backend) = start("guests/verdicts");
    for expected in ["451 4.3.0", "250 2.0.0 Delivered before"] {
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        client.says("RCPT TO:<bob@example.org>", "250");
        client.ask("RCPT TO:<defer550@example.org>");
        client.write(b"BDAT 10\r\nSubject: x");
        client.expect("250");
        client.write(b"BDAT 10 LAST\r\n\r\n\r\nbody\r\n");
        client.expect(expected);
    }
    assert_eq!(backend.taken().len(), 1);
}
