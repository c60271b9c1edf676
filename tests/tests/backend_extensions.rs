//! The extensions of the backend: those that are switched off, and CHUNKING that does not work.

use postgate_tests::backend::{Act, Backend, Step};
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::Dovecot;

const GREETING: &str = "250-backend.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n\
     250-CHUNKING\r\n250 ENHANCEDSTATUSCODES\r\n";
const MESSAGE: &[u8] = b"Subject: x\r\n\r\nMAIL FROM:<evil@example.org>\r\n";

/// A backend that offers CHUNKING, and gives this reply to a chunk that is not the last one.
fn offering_chunking(reply: Option<&'static str>) -> Backend {
    Backend::scripted(move |event| match (&event.step, reply) {
        (Step::Helo(_), _) => Act::Say(GREETING.to_owned()),
        (Step::Other(line), Some(reply)) if line.starts_with("BDAT") => Act::reply(reply),
        _ => Act::Work,
    })
}

fn deliver(gateway: &Gateway) {
    let mut client = Client::greeted(gateway.address());
    client.envelope("alice@client.example", &["bob@example.org"]);
    let reply = client.message(MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
}

/// The verbs of each connection.
fn verbs(backend: &Backend) -> Vec<Vec<String>> {
    let verb = |line: String| line.split(':').next().unwrap_or_default().to_owned();
    let transcripts = backend.transcripts().into_iter();
    transcripts
        .map(|lines| lines.into_iter().map(verb).collect())
        .collect()
}

/// One round trip more for the first message of a connection, and none for the others.
#[test]
fn a_connection_shows_once_that_it_honours_bdat() {
    let backend = offering_chunking(None);
    let gateway = Setup::new().backend(&backend.smtp()).start();
    for _ in 0..3 {
        deliver(&gateway);
    }
    let verbs = verbs(&backend);
    assert_eq!(verbs.len(), 1, "{verbs:?}");
    let chunks = verbs[0].iter().filter(|line| line.starts_with("BDAT"));
    let chunks: Vec<_> = chunks.map(|line| line.ends_with(" LAST")).collect();
    assert_eq!(chunks, [false, true, true, true], "{verbs:?}");
    for mail in backend.taken() {
        assert!(mail.content.ends_with(MESSAGE));
    }
}

#[test]
fn a_backend_that_does_not_honour_bdat_gets_data() {
    let backend = offering_chunking(Some("502 5.5.1 what is that"));
    let gateway = Setup::new().backend(&backend.smtp()).start();
    for _ in 0..3 {
        deliver(&gateway);
    }
    let expected = [
        &["EHLO mx.example.org", "MAIL FROM", "RCPT TO", "BDAT 1"][..],
        &[
            "EHLO mx.example.org",
            "MAIL FROM",
            "RCPT TO",
            "DATA",
            "MAIL FROM",
            "RCPT TO",
            "DATA",
            "MAIL FROM",
            "RCPT TO",
            "DATA",
        ],
    ];
    assert_eq!(verbs(&backend), expected);
    assert_eq!(backend.taken().len(), 3);
    gateway.log().wait_for("a warning", |line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("does not honour BDAT") && line["backend"] == backend.smtp()
    });
}

#[test]
fn what_is_switched_off_is_not_used() {
    let backend = offering_chunking(None);
    let table = format!(
        "backend = [{{ address = \"{}\", extensions = {{ chunking = false, eight-bit-mime = false, \
         size = false }} }}]",
        backend.smtp()
    );
    let gateway = Setup::new().set(&table).start();
    let mut client = Client::greeted(gateway.address());
    client.says(
        "MAIL FROM:<alice@client.example> SIZE=100 BODY=8BITMIME",
        "250",
    );
    client.says("RCPT TO:<bob@example.org>", "250");
    let reply = client.message(MESSAGE);
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(backend.taken()[0].mail, "MAIL FROM:<alice@client.example>");
    let verbs = verbs(&backend);
    assert_eq!(verbs[0].last().map(String::as_str), Some("DATA"));
}

/// Dovecot offers CHUNKING over LMTP.
#[test]
fn dovecot_takes_messages_in_chunks() {
    let dovecot = Dovecot::start();
    let gateway = Setup::new().backend(&dovecot.lmtp()).start();
    for _ in 0..2 {
        deliver(&gateway);
    }
    let messages = dovecot.messages("bob@example.org");
    assert_eq!(messages.len(), 2);
    for message in messages {
        let text = String::from_utf8_lossy(&message);
        assert!(
            text.ends_with("\nSubject: x\n\nMAIL FROM:<evil@example.org>\n"),
            "{text}"
        );
    }
}
