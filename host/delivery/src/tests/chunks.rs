use std::sync::Arc;

use postgate_config::{Backend, BackendAddress};
use postgate_proto::client::Extension;
use postgate_proto::parameters::{Body, MailParameters};
use postgate_spool::Content;

use super::script::{self, offering, offering_lmtp, play, play_unix};
use super::support::{backend, begin, begin_with, delivery};
use crate::{Delivery, Message};

const CHUNKING: [&str; 1] = ["S: 250-CHUNKING"];

const ENVELOPE: [&str; 4] = [
    "C: MAIL FROM:<a@b>",
    "C: RCPT TO:<c@d>",
    "S: 250 ok",
    "S: 250 ok",
];

/// The first message on a connection, whose first octet shows that the backend honours BDAT.
const FIRST: [&str; 7] = [
    "C: BDAT 1",
    "B: A",
    "S: 250 ok",
    "C: BDAT 14 LAST",
    "C: : b",
    "C: ",
    "C: .body",
];

/// Every other message.
const MESSAGE: [&str; 4] = ["C: BDAT 15 LAST", "C: A: b", "C: ", "C: .body"];

async fn attempt(delivery: &Delivery) -> String {
    let mut mail = begin(delivery);
    assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
    mail.deliver().await
}

fn binary() -> MailParameters {
    MailParameters {
        body: Some(Body::BinaryMime),
        ..MailParameters::default()
    }
}

#[tokio::test]
async fn a_message_goes_in_one_chunk_without_doubled_dots() {
    let script = [
        ENVELOPE.as_slice(),
        &FIRST,
        &["S: 250 2.6.0 queued as 1"],
        &ENVELOPE,
        &MESSAGE,
        &["S: 552 5.3.4 too big"],
        &ENVELOPE,
        &["end"],
    ]
    .concat();
    let (address, playing) = play(vec![offering(&CHUNKING, &script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    assert_eq!(attempt(&delivery).await, "250 2.6.0 queued as 1");
    assert_eq!(attempt(&delivery).await, "552 5.3.4 too big");
    assert_eq!(begin(&delivery).offer("c@d").await, "250 2.0.0 ok");
    drop(delivery);
    playing.await.unwrap();
}

#[tokio::test]
async fn a_chunk_has_a_reply_for_each_recipient_over_lmtp() {
    let rest = ["C: RCPT TO:<e@f>", "S: 250 ok"];
    let script = [
        ENVELOPE.as_slice(),
        &rest,
        &FIRST,
        &["S: 250 2.0.0 first", "S: 250 2.0.0 second", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![offering_lmtp(&CHUNKING, &script)]).await;
    let delivery = delivery(BackendAddress::Lmtp(address));
    let mut mail = begin(&delivery);
    mail.offer("c@d").await;
    mail.offer("e@f").await;
    assert_eq!(mail.deliver().await, "250 2.0.0 second");
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn a_large_chunk_arrives_whole() {
    let line = "x".repeat(98);
    let body = format!("{line}\r\n").repeat(10_000);
    // What a backend gets is compared line by line.
    let expected: &'static str = format!("C: {line}").leak();
    let script = [
        ENVELOPE.as_slice(),
        &FIRST[..3],
        &["C: BDAT 1000007 LAST", "C: : b", "C: "],
        &vec![expected; 10_000],
        &["S: 250 2.6.0 queued", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![offering(&CHUNKING, &script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    mail.offer("c@d").await;
    let body = Content::from(body.into_bytes());
    let message = Message::new(b"A: b\r\n\r\n", &body);
    assert_eq!(mail.deliver_message(&message).await, "250 2.6.0 queued");
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn a_binary_message_goes_as_it_is() {
    let script = [
        "C: MAIL FROM:<a@b> BODY=BINARYMIME",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 250 ok",
        "C: BDAT 1",
        "B: A",
        "S: 250 ok",
        "C: BDAT 15 LAST",
        "C: : b",
        "C: ",
        "B: \n\r.\r\0x\r.",
        "S: 250 2.6.0 queued",
        "end",
    ];
    let keywords = ["S: 250-CHUNKING", "S: 250-BINARYMIME"];
    let (address, playing) = play(vec![offering(&keywords, &script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin_with(&delivery, "a@b", binary());
    mail.offer("c@d").await;
    let body = Content::from(b"\n\r.\r\0x\r.".to_vec());
    let message = Message::new(b"A: b\r\n\r\n", &body);
    assert_eq!(mail.deliver_message(&message).await, "250 2.6.0 queued");
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn a_binary_message_is_refused_where_it_can_not_go_as_it_is() {
    for keywords in [
        [].as_slice(),
        &["S: 250-BINARYMIME"],
        &["S: 250-CHUNKING", "S: 250-8BITMIME"],
    ] {
        let mail = match keywords.contains(&"S: 250-8BITMIME") {
            true => "C: MAIL FROM:<a@b> BODY=8BITMIME",
            false => "C: MAIL FROM:<a@b>",
        };
        let envelope = [mail, "C: RCPT TO:<c@d>", "S: 250 ok", "S: 250 ok"];
        let next = ["C: RSET", "C: MAIL FROM:<a@b>", "C: RCPT TO:<c@d>"];
        let end = ["S: 250 ok", "S: 250 ok", "S: 250 ok", "end"];
        // The connection serves the next transaction.
        let script = [envelope.as_slice(), &next, &end].concat();
        let (address, playing) = play(vec![offering(keywords, &script)]).await;
        let delivery = delivery(BackendAddress::Smtp(address));
        let mut mail = begin_with(&delivery, "a@b", binary());
        assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
        let body = Content::from(b"a\nb\r\n".to_vec());
        let message = Message::new(b"A: b\r\n\r\n", &body);
        assert_eq!(
            mail.deliver_message(&message).await,
            "554 5.6.1 Conversion is not possible"
        );
        assert_eq!(begin(&delivery).offer("c@d").await, "250 2.0.0 ok");
        drop((mail, delivery));
        playing.await.unwrap();
    }
}

/// What was sent as binary, but is text in lines, needs no conversion.
#[tokio::test]
async fn a_message_that_does_not_need_binarymime_goes_without() {
    let envelope = [
        "C: MAIL FROM:<a@b> BODY=8BITMIME",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 250 ok",
    ];
    let end = ["S: 250 2.6.0 queued", "end"];
    let script = [envelope.as_slice(), &script::MESSAGE, &end].concat();
    let (address, playing) = play(vec![offering(&["S: 250-8BITMIME"], &script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin_with(&delivery, "a@b", binary());
    mail.offer("c@d").await;
    assert_eq!(mail.deliver().await, "250 2.6.0 queued");
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn a_maildir_takes_a_binary_message() {
    let directory = tempfile::tempdir().unwrap();
    let delivery = delivery(BackendAddress::Maildir(directory.path().join("mail")));
    let mut mail = begin_with(&delivery, "a@b", binary());
    mail.offer("c@d").await;
    let body = Content::from(b".\n\r\0.\r".to_vec());
    let message = Message::new(b"A: b\r\n\r\n", &body);
    assert_eq!(
        mail.deliver_message(&message).await,
        "250 2.0.0 Message stored"
    );
    let mut files = std::fs::read_dir(directory.path().join("mail/new")).unwrap();
    let file = std::fs::read(files.next().unwrap().unwrap().path()).unwrap();
    assert_eq!(file, b"Return-Path: <a@b>\r\nA: b\r\n\r\n.\n\r\0.\r");
}

/// With BDAT, no answer to DATA shows that a connection is stale.
#[tokio::test]
async fn a_connection_that_went_stale_before_a_chunk_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let stale = offering(&CHUNKING, &ENVELOPE);
    let fresh = [ENVELOPE.as_slice(), &FIRST, &["S: 250 2.0.0 second", "end"]].concat();
    for first in [
        stale.clone(),
        [stale.as_slice(), &["S: 421 4.4.2 too slow"]].concat(),
    ] {
        let playing = play_unix(&path, vec![first]);
        let delivery = delivery(BackendAddress::SmtpUnix(path.clone()));
        let mut mail = begin(&delivery);
        assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
        playing.await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let playing = play_unix(&path, vec![offering(&CHUNKING, &fresh)]);
        assert_eq!(mail.deliver().await, "250 2.0.0 second");
        drop((mail, delivery));
        playing.await.unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn a_chunk_that_fails_is_not_sent_again() {
    let table: [(&[&str], &str); 4] = [
        (&[], "451 4.4.2 "),
        (&["S: what"], "451 4.3.0 "),
        (&["S: 421 4.3.2 no"], "451 4.3.0 "),
        (&["S: 354 go"], "451 4.3.0 "),
    ];
    for (end, expected) in table {
        let script = [ENVELOPE.as_slice(), &FIRST, end].concat();
        let (address, playing) = play(vec![offering(&CHUNKING, &script)]).await;
        let reply = attempt(&delivery(BackendAddress::Smtp(address))).await;
        assert!(reply.starts_with(expected), "{end:?}: {reply}");
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn a_chunk_that_the_backend_does_not_read_to_its_end() {
    let script = [
        ENVELOPE.as_slice(),
        &FIRST[..3],
        &["C: BDAT 33554439 LAST", "C: : b", "S: 552 5.3.4 too big"],
    ]
    .concat();
    let (address, playing) = play(vec![offering(&CHUNKING, &script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    mail.offer("c@d").await;
    // More than the buffers of both systems hold.
    let body = Content::from(b"octets\r\n".repeat(4 * 1024 * 1024));
    let reply = mail
        .deliver_message(&Message::new(b"A: b\r\n\r\n", &body))
        .await;
    // The last reply of the backend may be lost if the system resets the connection.
    let expected = ["552 5.3.4 too big", "451 4.4.2 "];
    assert!(
        expected.iter().any(|text| reply.starts_with(text)),
        "{reply}"
    );
    playing.await.unwrap();
}

/// The rest of a chunk would run as commands there.
#[tokio::test]
async fn a_backend_that_does_not_honour_bdat_gets_one_octet_and_then_data() {
    for code in [
        "500 5.5.1",
        "501 5.0.0",
        "502",
        "503",
        "504",
        "550 5.5.1",
        "555 5.5.4",
    ] {
        let refusal: &'static str = format!("S: {code} what").leak();
        let first = [ENVELOPE.as_slice(), &["C: BDAT 1", "B: A", refusal, "end"]].concat();
        let second = [
            ENVELOPE.as_slice(),
            &script::MESSAGE,
            &["S: 250 2.0.0 first"],
            &ENVELOPE,
            &script::MESSAGE,
            &["S: 250 2.0.0 second", "end"],
        ]
        .concat();
        let connections = vec![offering(&CHUNKING, &first), offering(&CHUNKING, &second)];
        let (address, playing) = play(connections).await;
        let delivery = delivery(BackendAddress::Smtp(address));
        assert_eq!(attempt(&delivery).await, "250 2.0.0 first", "{code}");
        // It is remembered.
        let offers = |keyword| delivery.capabilities().unwrap().offers(keyword);
        assert!(!offers("CHUNKING") && offers("PIPELINING"));
        assert_eq!(attempt(&delivery).await, "250 2.0.0 second", "{code}");
        drop(delivery);
        playing.await.unwrap();
    }
}

/// A refusal of the message is one, and says nothing about BDAT. Nothing more is sent on the
/// connection, because the backend may not have read the octet.
#[tokio::test]
async fn a_first_chunk_that_is_refused() {
    for (refusal, expected) in [
        ("S: 552 5.3.4 too big", "552 5.3.4 too big"),
        ("S: 452 4.3.1 full", "452 4.3.1 full"),
        ("S: 421 4.3.2 bye", "451 4.3.0 "),
    ] {
        let first = [ENVELOPE.as_slice(), &["C: BDAT 1", "B: A", refusal, "end"]].concat();
        let mut connections = vec![offering(&CHUNKING, &first)];
        // A connection that ends is replaced once.
        if refusal.starts_with("S: 421") {
            connections.push(connections[0].clone());
        }
        let next = [ENVELOPE.as_slice(), &FIRST, &["S: 250 2.0.0 ok", "end"]].concat();
        connections.push(offering(&CHUNKING, &next));
        let (address, playing) = play(connections).await;
        let delivery = delivery(BackendAddress::Smtp(address));
        let reply = attempt(&delivery).await;
        assert!(reply.starts_with(expected), "{refusal}: {reply}");
        assert_eq!(attempt(&delivery).await, "250 2.0.0 ok");
        drop(delivery);
        playing.await.unwrap();
    }
}

/// A message that needs BDAT can not go with DATA.
#[tokio::test]
async fn a_binary_message_is_refused_where_bdat_turns_out_not_to_work() {
    let keywords = ["S: 250-CHUNKING", "S: 250-BINARYMIME"];
    let binary_envelope = [
        "C: MAIL FROM:<a@b> BODY=BINARYMIME",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 250 ok",
    ];
    let first = [
        binary_envelope.as_slice(),
        &["C: BDAT 1", "B: A", "S: 502 5.5.1 what", "end"],
    ]
    .concat();
    let second = [ENVELOPE.as_slice(), &["end"]].concat();
    let connections = vec![offering(&keywords, &first), offering(&keywords, &second)];
    let (address, playing) = play(connections).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin_with(&delivery, "a@b", binary());
    mail.offer("c@d").await;
    let body = Content::from(b"a\nb\r\n".to_vec());
    let message = Message::new(b"A: b\r\n\r\n", &body);
    assert_eq!(
        mail.deliver_message(&message).await,
        "554 5.6.1 Conversion is not possible"
    );
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn extensions_that_are_switched_off_are_not_used() {
    let envelope = [
        "S: 220 hi",
        "C: EHLO gate.example",
        "S: 250-hi",
        "S: 250-8BITMIME",
        "S: 250-BINARYMIME",
        "S: 250-CHUNKING",
        "S: 250-DSN",
        "S: 250-SIZE",
        "S: 250-SMTPUTF8",
        "S: 250 PIPELINING",
        "C: MAIL FROM:<a@b>",
        "S: 250 ok",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
    ];
    let end = ["S: 250 2.0.0 ok", "end"];
    let script = [envelope.as_slice(), &script::MESSAGE, &end].concat();
    let (address, playing) = play(vec![script]).await;
    let backend = Backend {
        unused_extensions: vec![
            Extension::EightBitMime,
            Extension::BinaryMime,
            Extension::Chunking,
            Extension::Dsn,
            Extension::Pipelining,
            Extension::Size,
            Extension::SmtpUtf8,
        ],
        ..backend(BackendAddress::Smtp(address))
    };
    let delivery = Delivery::new(&backend, "gate.example").unwrap();
    assert_eq!(delivery.capabilities(), None);
    let parameters = MailParameters {
        size: Some(7),
        smtputf8: true,
        ..binary()
    };
    let mut mail = begin_with(&delivery, "a@b", parameters);
    mail.offer("c@d").await;
    assert_eq!(mail.deliver().await, "250 2.0.0 ok");
    assert_eq!(delivery.capabilities(), Some(Arc::default()));
    drop((mail, delivery));
    playing.await.unwrap();
}
