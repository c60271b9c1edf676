//! Limits and times, as configured for one listener.

use std::time::{Duration, Instant};

use postgate_tests::backend::Backend;
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::pause;
use postgate_tests::process::processor_time;

/// The clock runs for a line, and not for an octet: a client that drips has no more time than one
/// that says nothing.
#[test]
fn a_line_that_drips_in_is_too_late() {
    let gateway = Setup::new()
        .set("limits.command-timeout = \"300ms\"")
        .start();
    let mut client = gateway.connect();
    client.expect("220 ");
    let mut drops = 0;
    while client.has_heard_nothing() {
        assert!(drops < 6_000, "a line may drip in for ever");
        client.write(b"x");
        drops += 1;
        pause();
    }
    client.expect("421 4.4.2");
}

/// A gateway that does not wait long for a message, and a client that is about to send one.
fn impatient(backend: &Backend) -> (Gateway, Client) {
    let gateway = Setup::new()
        .backend(&backend.smtp())
        .set("limits.message-timeout = \"300ms\"")
        .start();
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    (gateway, client)
}

#[test]
fn a_message_that_takes_too_long_is_dropped() {
    let backend = Backend::working();
    let (_gateway, mut client) = impatient(&backend);
    client.says("DATA", "354");
    let mut lines = 0;
    while client.has_heard_nothing() {
        assert!(lines < 6_000, "a message may drip in for ever");
        client.write(b"Another: line\r\n");
        lines += 1;
        pause();
    }
    client.expect("421 4.4.2");
    assert_eq!(backend.taken(), []);
}

/// Chunks that are each in time are a message that is not.
#[test]
fn chunks_that_go_on_for_too_long_are_dropped() {
    let backend = Backend::working();
    let (_gateway, mut client) = impatient(&backend);
    let mut chunks = 0;
    let reply = loop {
        let reply = client.ask("BDAT 0");
        match reply.starts_with("250") {
            true => chunks += 1,
            false => break reply,
        }
        assert!(chunks < 6_000, "a message may go on for ever");
        pause();
    };
    assert!(reply.starts_with("421 4.4.2"), "{reply}");
    assert_eq!(backend.taken(), []);
}

/// Each limit of a listener stands in place of the general one, which here is another one.
#[test]
fn a_listener_has_limits_of_its_own() {
    let general = "[limits]\nmessage-size = 1000\nrecipients = 1\nerrors = 1\ntext-line = 100";
    let own = "limits = { message-size = 5000, recipients = 3, errors = 4, text-line = 2000 }";
    let gateway = Setup::new().set(general).listener(own).start();
    let mut client = gateway.connect();
    client.expect("220 ");
    let greeting = client.ask("EHLO client.example");
    assert!(greeting.contains("SIZE 5000"), "{greeting}");
    let recipients = ["a@example.org", "b@example.org", "c@example.org"];
    client.envelope("alice@client.example", &recipients);
    client.says("RCPT TO:<d@example.org>", "452 4.5.3");
    let line = |length: usize| [b"A: b\r\n\r\n", "x".repeat(length).as_bytes(), b"\r\n"].concat();
    assert!(client.message(&line(1_990)).starts_with("250"));
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(client.message(&line(2_100)).starts_with("554 5.6.0"));
    client.envelope("alice@client.example", &["bob@example.org"]);
    assert!(
        client
            .message(&line(1_000).repeat(6))
            .starts_with("552 5.3.4")
    );
    let mut client = gateway.connect();
    client.expect("220 ");
    for _ in 0..4 {
        client.says("OINK", "500 5.5.1");
    }
    client.expect("421 4.7.0");
}

/// What is switched off does not come back as a default.
#[test]
fn limits_can_be_switched_off() {
    let gateway = Setup::new()
        .set("[limits]\nmessage-size = 0\nerrors = 0\ntext-line = 0")
        .start();
    let mut client = Client::greeted(gateway.address());
    for _ in 0..50 {
        client.says("OINK", "500 5.5.1");
    }
    client.envelope("alice@client.example", &["bob@example.org"]);
    let line = "x".repeat(3 << 20);
    let message = format!("A: b\r\n\r\n{line}\r\n").repeat(10);
    assert!(client.message(message.as_bytes()).starts_with("250"));
}

/// A general limit and what holds without one: a hundred recipients at the least.
#[test]
fn a_hundred_recipients_need_no_setting() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    for number in 0..200 {
        client.says(&format!("RCPT TO:<user{number}@example.org>"), "250 2.1.5");
    }
    client.says("RCPT TO:<one-more@example.org>", "452 4.5.3");
    assert!(
        client
            .message(b"Subject: to many\r\n\r\n")
            .starts_with("250")
    );
    assert_eq!(backend.taken()[0].recipients.len(), 200);
}

/// A message of ten times the size costs ten times the work: as much as ten messages.
#[test]
fn work_grows_with_the_size_and_no_faster() {
    const SMALL: usize = 8 << 20;
    let gateway = Setup::new()
        .set("limits.message-size = 0")
        .set("log.level = \"info\"")
        .start();
    let line = b"an ordinary line of text that stands in a message to make it a large one\r\n";
    let send = |size: usize| {
        let mut client = Client::greeted(gateway.address());
        client.envelope("alice@client.example", &["bob@example.org"]);
        let body = line.repeat(size / line.len());
        let reply = client.message(&[b"Subject: large\r\n\r\n", body.as_slice()].concat());
        assert!(reply.starts_with("250"), "{reply}");
    };
    let cost = |send: &dyn Fn()| {
        let before = processor_time(&gateway);
        send();
        processor_time(&gateway) - before
    };
    send(SMALL);
    let mut looks = Vec::new();
    while looks.len() < LOOKS {
        let ten_messages = cost(&|| (0..10).for_each(|_| send(SMALL)));
        let one_message = cost(&|| send(10 * SMALL));
        if one_message < 3 * ten_messages.max(10) {
            return;
        }
        looks.push((one_message, ten_messages));
    }
    panic!("ticks for one message, and for ten of a tenth: {looks:?}");
}

/// How often to look: what others do on the machine counts a little too, but not each time.
const LOOKS: usize = 3;

/// A delay at each command, such as that of a ticker or of a delayed acknowledgement, adds up beyond
/// what others on the machine cost.
#[test]
fn a_thousand_commands_are_answered_within_a_second() {
    let gateway = Setup::new()
        .set("log.level = \"info\"\nlimits.idle-commands = 0")
        .start();
    let mut client = Client::greeted(gateway.address());
    let rounds = (0..LOOKS).map(|_| {
        let start = Instant::now();
        for _ in 0..1_000 {
            client.says("NOOP", "250");
        }
        start.elapsed()
    });
    let quickest = rounds.min().expect("several");
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
}
