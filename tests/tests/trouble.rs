//! Backends that are not there, that break, or that talk nonsense: never a yes that they did not
//! give, and no message lost or doubled.

use std::sync::atomic::{AtomicUsize, Ordering};

use postgate_tests::backend::{Act, Backend, Event, Step};
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::free_address;

/// At which step the backend does what, at which command the client hears of it, and what. The first
/// recipient makes the gateway connect, so RCPT stands for everything before it.
const TROUBLE: &str = "
connect | 554 5.3.2 no       | RCPT | 451 4.3.0
connect | 421 4.3.2 busy     | RCPT | 451 4.3.0
connect | close              | RCPT | 451 4.4.2
connect | hang               | RCPT | 451 4.4.2
connect | SSH-2.0-OpenSSH    | RCPT | 451 4.3.0
helo    | 500 5.5.1 what     | RCPT | 451 4.3.0
helo    | close              | RCPT | 451 4.4.2
helo    | hang               | RCPT | 451 4.4.2
mail    | 550 5.7.1 not you  | RCPT | 550 5.7.1 not you
mail    | 452 4.3.1 full     | RCPT | 452 4.3.1 full
mail    | close              | RCPT | 451 4.4.2
mail    | hang               | RCPT | 451 4.4.2
rcpt    | 550 5.1.1 who      | RCPT | 550 5.1.1 who
rcpt    | 450 4.2.1 busy     | RCPT | 450 4.2.1 busy
rcpt    | 421 4.3.2 bye      | RCPT | 451 4.3.0
rcpt    | close              | RCPT | 451 4.4.2
rcpt    | hang               | RCPT | 451 4.4.2
rcpt    | \x01\x02\x03       | RCPT | 451 4.3.0
rcpt    | 999 what           | RCPT | 451 4.3.0
data    | 554 5.7.1 no data  | DATA | 554 5.7.1 no data
data    | 451 4.7.1 later    | DATA | 451 4.7.1 later
data    | 250 2.0.0 what     | DATA | 451 4.3.0
data    | close              | DATA | 451 4.4.2
data    | hang               | DATA | 451 4.4.2
message | 550 5.7.1 spam     | DATA | 550 5.7.1 spam
message | 452 4.3.1 full     | DATA | 452 4.3.1 full
message | 421 4.3.2 bye      | DATA | 451 4.3.0
message | 354 again          | DATA | 451 4.3.0
message | close              | DATA | 451 4.4.2
message | hang               | DATA | 451 4.4.2
message | yes                | DATA | 451 4.3.0
";

#[test]
fn a_backend_in_trouble_never_becomes_a_yes() {
    for row in TROUBLE.trim().lines() {
        let columns: Vec<_> = row.split('|').map(str::trim).collect();
        let [step, act, command, reply] = columns[..] else {
            panic!("not four columns: {row}");
        };
        let (step, act) = (step.to_owned(), act_of(act));
        let timeout = match act {
            Act::Hang => PATIENCE_WITH_WHO_HANGS,
            _ => PATIENCE_WITH_OTHERS,
        };
        let backend = Backend::scripted(move |event: &Event<'_>| match name(&event.step) == step {
            true => act.clone(),
            false => Act::Work,
        });
        assert_eq!(
            hears(&waiting(&backend.smtp(), timeout), command, reply),
            Ok(()),
            "{row}"
        );
        assert_eq!(backend.taken(), [], "{row}");
    }
}

fn act_of(text: &str) -> Act {
    match text {
        "close" => Act::Close,
        "hang" => Act::Hang,
        line => Act::reply(line),
    }
}

const fn name(step: &Step<'_>) -> &'static str {
    match step {
        Step::Connect => "connect",
        Step::Helo(_) => "helo",
        Step::Mail(_) => "mail",
        Step::Rcpt(_) => "rcpt",
        Step::Data => "data",
        Step::Message { .. } => "message",
        Step::Other(_) => "other",
    }
}

/// Waits so long for a backend.
fn waiting(backend: &str, timeout: &str) -> Gateway {
    let backend = format!(
        "backend = [{{ name = \"store\", address = \"{backend}\", connect-timeout = \"{timeout}\", \
         command-timeout = \"{timeout}\", data-timeout = \"{timeout}\" }}]"
    );
    Setup::new().set(&backend).start()
}

/// Longer than the steps take that come before.
const PATIENCE_WITH_WHO_HANGS: &str = "2s";
const PATIENCE_WITH_OTHERS: &str = "1m";

/// Sends a message. Its client hears this reply at this command and goes on with the session; where
/// it hears anything else, gives that.
fn hears(gateway: &Gateway, command: &str, expected: &str) -> Result<(), String> {
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    let mut reply = client.ask("RCPT TO:<bob@example.org>");
    if command == "DATA" {
        assert!(reply.starts_with("250"), "RCPT: {reply}");
        reply = client.message(b"Subject: x\r\n\r\n");
    }
    client.says("RSET", "250");
    client.says("QUIT", "221");
    client.expect_close();
    match reply.starts_with(expected) {
        true => Ok(()),
        false => Err(reply),
    }
}

#[test]
fn a_backend_that_is_not_there_is_unreachable() {
    let gateway = Setup::new()
        .backend(&format!("smtp://{}", free_address()))
        .start();
    assert_eq!(hears(&gateway, "RCPT", "451 4.4.1"), Ok(()));
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
fn an_idle_connection_that_the_backend_closed_loses_nothing() {
    let backend = Backend::working();
    let gateway = Setup::new().backend(&backend.smtp()).start();
    for round in 1..=3 {
        assert!(hears(&gateway, "DATA", "250").is_ok(), "round {round}");
        assert_eq!(backend.taken().len(), round);
        backend.close_connections();
    }
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
    gateway.log().wait_for("a message that some have", |line| {
        line["message"] == "message" && line["verdict"] == "delivered-in-part"
    });
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
