//! What the gateway remembers between the attempts of a client to send one message: who has it, and
//! who was refused for good.

use std::sync::atomic::{AtomicUsize, Ordering};

use postgate_tests::backend::{Act, Backend, Step};
use postgate_tests::client::{Client, Reply};
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::Dovecot;

const ALICE: &str = "alice@client.example";
const BOTH: [&str; 2] = ["bob@example.org", "carol@example.org"];
const MESSAGE: &[u8] = b"Message-ID: <1@client.example>\r\nSubject: x\r\n\r\nhello\r\n";

fn send(gateway: &Gateway, recipients: &[&str], message: &[u8]) -> Reply {
    let mut client = Client::greeted(gateway.address());
    client.envelope(ALICE, recipients);
    client.message(message)
}

fn rcpts(backend: &Backend) -> Vec<String> {
    let taken = backend.taken().into_iter();
    taken.flat_map(|mail| mail.recipients).collect()
}

/// An LMTP server that answers so for carol as many times, and then takes the message for her too.
fn answering_carol(reply: &'static str, times: usize) -> Backend {
    let tries = AtomicUsize::new(0);
    Backend::scripted(move |event| match event.step {
        Step::Message { rcpt, .. }
            if rcpt.contains("<carol@") && tries.fetch_add(1, Ordering::Relaxed) < times =>
        {
            Act::reply(reply)
        }
        _ => Act::Work,
    })
}

#[test]
fn a_full_mailbox_is_what_the_client_hears_of_that_recipient_at_its_next_attempt() {
    let backend = answering_carol("552 5.2.2 mailbox full", usize::MAX);
    let gateway = Setup::new().backend(&backend.lmtp()).start();
    let reply = send(&gateway, &BOTH, MESSAGE);
    assert!(reply.starts_with("451 4.3.0"), "{reply}");

    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "250");
    // However it is spelled.
    client.says("RCPT TO:<carol@EXAMPLE.org>", "552 5.2.2 mailbox full");
    let reply = client.message(MESSAGE);
    assert!(reply.starts_with("250 2.0.0 Delivered before"), "{reply}");
    assert_eq!(rcpts(&backend), ["RCPT TO:<bob@example.org>"]);

    // The next message is another one, and one recipient is told at once.
    client.envelope(ALICE, &BOTH[1..]);
    let reply = client.message(MESSAGE);
    assert!(reply.starts_with("552 5.2.2 mailbox full"), "{reply}");
}

/// The one who is refused for good hears of it, although the other has not got the message either.
#[test]
fn a_full_mailbox_beside_a_busy_one_is_no_busy_one() {
    let backend = Backend::scripted(|event| match event.step {
        Step::Message { rcpt, .. } if rcpt.contains("<bob@") => Act::reply("450 4.2.1 busy"),
        Step::Message { .. } => Act::reply("552 5.2.2 mailbox full"),
        _ => Act::Work,
    });
    let gateway = Setup::new().backend(&backend.lmtp()).start();
    let reply = send(&gateway, &BOTH, MESSAGE);
    assert!(reply.starts_with("450 4.2.1 busy"), "{reply}");
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "250");
    client.says("RCPT TO:<carol@example.org>", "552 5.2.2 mailbox full");
}

#[test]
fn a_mailbox_of_dovecot_over_its_quota_is_what_the_client_hears() {
    let dovecot = Dovecot::with_quota("100k");
    let gateway = Setup::new().backend(&dovecot.lmtp()).start();
    let large = [MESSAGE, "x".repeat(60).repeat(1_000).as_bytes(), b"\r\n"].concat();
    let lines = large.chunks(60).collect::<Vec<_>>().join(&b"\r\n"[..]);
    let message = [b"Subject: large\r\n\r\n".as_slice(), &lines].concat();
    let reply = send(&gateway, &BOTH[1..], &message);
    assert!(reply.starts_with("250"), "{reply}");

    let second = [b"Subject: second\r\n\r\n".as_slice(), &lines].concat();
    let reply = send(&gateway, &BOTH, &second);
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    client.says("RCPT TO:<bob@example.org>", "250");
    client.says("RCPT TO:<carol@example.org>", "552 5.2.2");
    let reply = client.message(&second);
    assert!(reply.starts_with("250 2.0.0 Delivered before"), "{reply}");
    for user in BOTH {
        assert_eq!(dovecot.messages(user).len(), 1, "{user}");
    }
}

/// A host in front of the gateway that keeps no queue adds its trace to every attempt of the client.
#[test]
fn a_hop_that_adds_trace_fields_makes_no_copies() {
    let backend = answering_carol("450 4.2.1 busy", 4);
    let gateway = Setup::new().backend(&backend.lmtp()).start();
    for attempt in 1..=5 {
        let trace = format!(
            "Return-Path: <alice@client.example>\r\n\
             Received: from client.example by hop.example id {attempt};\r\n\tSun, 1 Jan 2023 \
             00:0{attempt}:00 +0000\r\n\
             Authentication-Results: hop.example; spf=pass smtp.mailfrom={attempt}\r\n\
             X-Spam-Status: No, score={attempt}\r\n"
        );
        let reply = send(&gateway, &BOTH, &[trace.as_bytes(), MESSAGE].concat());
        let expected = if attempt < 5 { "451 4.3.0" } else { "250" };
        assert!(reply.starts_with(expected), "{attempt}: {reply}");
    }
    assert_eq!(
        rcpts(&backend),
        ["RCPT TO:<bob@example.org>", "RCPT TO:<carol@example.org>"]
    );
}

/// A second message that looks the same is not taken for a retry, neither while the first one waits
/// nor after it.
#[test]
fn an_identical_message_that_is_no_retry_is_delivered() {
    let backend = answering_carol("450 4.2.1 busy", 1);
    let gateway = Setup::new().backend(&backend.lmtp()).start();
    let reply = send(&gateway, &BOTH, MESSAGE);
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    let reply = send(&gateway, &BOTH[..1], MESSAGE);
    assert!(reply.starts_with("250 2.0.0 Ok"), "{reply}");
    // The first client comes again, and is done.
    let reply = send(&gateway, &BOTH, MESSAGE);
    assert!(reply.starts_with("250 2.0.0 Ok"), "{reply}");
    let reply = send(&gateway, &BOTH, MESSAGE);
    assert!(reply.starts_with("250 2.0.0 Ok"), "{reply}");
    let (bob, carol) = ("RCPT TO:<bob@example.org>", "RCPT TO:<carol@example.org>");
    assert_eq!(rcpts(&backend), [bob, bob, carol, bob, carol]);
}

#[test]
fn a_connection_that_breaks_after_the_first_reply_has_delivered_in_part() {
    let tries = AtomicUsize::new(0);
    let backend = Backend::scripted(move |event| match event.step {
        Step::Message { rcpt, .. }
            if rcpt.contains("<carol@") && tries.fetch_add(1, Ordering::Relaxed) == 0 =>
        {
            Act::Close
        }
        _ => Act::Work,
    });
    let gateway = Setup::new().backend(&backend.lmtp()).start();
    let reply = send(&gateway, &BOTH, MESSAGE);
    assert!(reply.starts_with("451 4.4.2"), "{reply}");
    gateway.log().wait_for("a message that some have", |line| {
        line["message"] == "message" && line["verdict"] == "delivered-in-part"
    });
    let reply = send(&gateway, &BOTH, MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(
        rcpts(&backend),
        ["RCPT TO:<bob@example.org>", "RCPT TO:<carol@example.org>"]
    );
}
