use postgate_config::BackendAddress;
use postgate_proto::parameters::{Body, MailParameters};
use postgate_spool::Content;

use super::script::{self, offering, offering_lmtp, play, play_unix};
use super::support::{begin, begin_with, delivery};
use crate::{Delivery, Message};

const CHUNKING: [&str; 1] = ["S: 250-CHUNKING"];

const ENVELOPE: [&str; 4] = [
    "C: MAIL FROM:<a@b>",
    "C: RCPT TO:<c@d>",
    "S: 250 ok",
    "S: 250 ok",
];

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
        &MESSAGE,
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
        &MESSAGE,
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
    let body = format!("{line}\n").repeat(10_000);
    // What a backend gets is compared line by line.
    let expected: &'static str = format!("C: {line}").leak();
    let script = [
        ENVELOPE.as_slice(),
        // The line ends are corrected before they are counted.
        &["C: BDAT 1000008 LAST", "C: A: b", "C: "],
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
        "C: BDAT 16 LAST",
        "C: A: b",
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
    let fresh = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &["S: 250 2.0.0 second", "end"],
    ]
    .concat();
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
        let script = [ENVELOPE.as_slice(), &MESSAGE, end].concat();
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
        &["C: BDAT 33554440 LAST", "C: A: b", "S: 552 5.3.4 too big"],
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
