use postgate_config::BackendAddress;
use postgate_proto::parameters::{Body, MailParameters};
use postgate_spool::Content;

use super::script::{MESSAGE, greeted, play, play_unix};
use super::support::{begin, begin_with, delivery, recipient};
use crate::{Delivery, Message};

#[tokio::test]
async fn a_message_goes_through_and_the_connection_is_used_again() {
    let envelope = [
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 251 2.1.5 forward",
    ];
    let script = [
        &envelope,
        MESSAGE.as_slice(),
        &["S: 250 2.6.0 queued as 1"],
        &envelope,
        &MESSAGE,
        &["S: 552 5.3.4 too big"],
        &envelope,
        &["end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted(&script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    for expected in ["250 2.6.0 queued as 1", "552 5.3.4 too big"] {
        let mut mail = begin(&delivery);
        assert_eq!(mail.offer("c@d").await, "251 2.1.5 forward");
        assert_eq!(mail.deliver().await, expected);
    }
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("c@d").await, "251 2.1.5 forward");
    // The connection is closed with the delivery that has it.
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn recipients_are_answered_one_by_one() {
    let script = [
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 550 5.1.1 who",
        "C: RCPT TO:<e@f>",
        "S: 250 2.1.5 fine",
        "C: RCPT TO:<Postmaster>",
        "S: 452 4.5.3 enough",
        "end",
    ];
    let (address, playing) = play(vec![greeted(&script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("c@d").await, "550 5.1.1 who");
    assert_eq!(mail.offer("e@f").await, "250 2.1.5 fine");
    assert_eq!(mail.offer("Postmaster").await, "452 4.5.3 enough");
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn a_refused_sender_is_the_answer_to_every_recipient() {
    let script = [
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<c@d>",
        "S: 550 5.7.1 not you",
        "S: 503 5.5.1 no",
        "C: RSET",
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<g@h>",
        "S: 250 ok",
        "S: 250 ok",
        "S: 250 ok",
        "end",
    ];
    let (address, playing) = play(vec![greeted(&script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("c@d").await, "550 5.7.1 not you");
    assert_eq!(mail.offer("e@f").await, "550 5.7.1 not you");
    assert!(!mail.transaction.has_accepted(&recipient("c@d")));
    drop(mail);
    // The connection can be used again.
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("g@h").await, "250 2.0.0 ok");
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_is_given_up_is_forgotten_before_the_next() {
    let script = [
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 250 ok",
        "C: RSET",
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<e@f>",
        "S: 250 ok",
        "S: 250 ok",
        "S: 250 2.1.5 second",
        "end",
    ];
    let (address, playing) = play(vec![greeted(&script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
    drop(mail);
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("e@f").await, "250 2.1.5 second");
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn a_server_of_old_is_spoken_to_in_its_way() {
    let script = vec![
        "S: 220 hi",
        "C: EHLO gate.example",
        "S: 502 what",
        "C: HELO gate.example",
        "S: 250 hi",
        "C: MAIL FROM:<a@b>",
        "S: 250 ok",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "end",
    ];
    let (address, playing) = play(vec![script]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn what_the_client_asks_for_is_passed_on_where_it_is_offered() {
    let script = vec![
        "S: 220 hi",
        "C: EHLO gate.example",
        "S: 250-hi",
        "S: 250-SIZE 1000",
        "S: 250-SMTPUTF8",
        "S: 250 8BITMIME",
        "C: MAIL FROM:<pelé@b> SIZE=70 BODY=8BITMIME SMTPUTF8",
        "S: 250 ok",
        "C: RCPT TO:<ç@d>",
        "S: 250 ok",
        "end",
    ];
    let (address, playing) = play(vec![script]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let parameters = MailParameters {
        body: Some(Body::EightBitMime),
        size: Some(70),
        smtputf8: true,
        all: Vec::new(),
    };
    let mut mail = begin_with(&delivery, "pelé@b", parameters);
    assert_eq!(mail.offer("ç@d").await, "250 2.0.0 ok");
    drop((mail, delivery));
    playing.await.unwrap();
}

fn utf8() -> MailParameters {
    MailParameters {
        smtputf8: true,
        ..MailParameters::default()
    }
}

/// What counts is what a message needs, not what its client asks for.
#[tokio::test]
async fn a_message_that_does_not_need_smtputf8_goes_without() {
    let message = |body: &'static [&str]| {
        let begin = ["C: MAIL FROM:<a@b>", "S: 250 ok", "C: RCPT TO:<c@d>"];
        let end = ["C: .", "S: 250 2.0.0 queued"];
        let data = ["S: 250 ok", "C: DATA", "S: 354 go", "C: A: b", "C: "];
        [begin.as_slice(), &data, body, &end].concat()
    };
    let refused = [
        "C: MAIL FROM:<a@b>",
        "S: 250 ok",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "C: RSET",
        "S: 250 ok",
        "C: MAIL FROM:<a@b>",
        "S: 250 ok",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "end",
    ];
    let script = [message(&["C: text"]), message(&["C: é"]), refused.to_vec()].concat();
    let (address, playing) = play(vec![greeted(&script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    for (head, body, expected) in [
        ("A: b\r\n\r\n", "text\r\n", "250 2.0.0 queued"),
        ("A: b\r\n\r\n", "é\r\n", "250 2.0.0 queued"),
        ("A: é\r\n\r\n", "text\r\n", "550 5.6.7 "),
    ] {
        let mut mail = begin_with(&delivery, "a@b", utf8());
        assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
        let body = Content::from(body.as_bytes().to_vec());
        let message = Message::new(head.as_bytes(), &body);
        let reply = mail.deliver_message(&message).await;
        assert!(reply.starts_with(expected), "{head}: {reply}");
    }
    assert_eq!(begin(&delivery).offer("c@d").await, "250 2.0.0 ok");
    drop(delivery);
    playing.await.unwrap();
}

#[tokio::test]
async fn international_mail_is_refused_where_it_is_not_offered() {
    let script = greeted(&[
        "C: MAIL FROM:<a@b>",
        "S: 250 ok",
        "C: RCPT TO:<c@d>",
        "S: 250 2.1.5 fine",
        "end",
    ]);
    let (address, playing) = play(vec![script]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    for parameters in [utf8(), MailParameters::default()] {
        let mut mail = begin_with(&delivery, "pelé@b", parameters);
        let reply = mail.offer("c@d").await;
        assert!(reply.starts_with("550 5.6.7 "), "{reply}");
    }
    // A recipient that needs it does not prevent the delivery to others.
    let mut mail = begin(&delivery);
    let reply = mail.offer("ç@d").await;
    assert!(reply.starts_with("550 5.6.7 "), "{reply}");
    assert_eq!(mail.offer("c@d").await, "250 2.1.5 fine");
    let reply = mail.offer("ç@d").await;
    assert!(reply.starts_with("550 5.6.7 "), "{reply}");
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let script = [
        [
            "C: MAIL FROM:<a@b>",
            "C: RCPT TO:<c@d>",
            "S: 250 ok",
            "S: 250 ok",
        ]
        .as_slice(),
        &MESSAGE,
        &["S: 250 2.6.0 queued"],
    ]
    .concat();
    let playing = play_unix(&path, vec![greeted(&script)]);
    let delivery = delivery(BackendAddress::SmtpUnix(path));
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
    assert_eq!(mail.deliver().await, "250 2.6.0 queued");
    playing.await.unwrap();
}

#[tokio::test]
async fn a_maildir() {
    let directory = tempfile::tempdir().unwrap();
    let delivery = delivery(BackendAddress::Maildir(directory.path().join("mail")));
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("c@d").await, "250 2.1.5 Recipient ok");
    assert!(mail.transaction.has_accepted(&recipient("c@d")));
    mail.amend("x@y", &["e@f"]);
    assert!(!mail.transaction.has_accepted(&recipient("e@f")));
    assert_eq!(mail.deliver().await, "250 2.0.0 Message stored");
    let mut files = std::fs::read_dir(directory.path().join("mail/new")).unwrap();
    let file = std::fs::read_to_string(files.next().unwrap().unwrap().path()).unwrap();
    assert_eq!(file, "Return-Path: <x@y>\r\nA: b\r\n\r\n.body\r\n");
}

#[tokio::test]
async fn without_a_backend_every_recipient_is_refused() {
    let mut mail = begin(&Delivery::without_backend());
    for recipient in ["c@d", "Postmaster"] {
        assert_eq!(mail.offer(recipient).await, "452 4.3.1 No storage backend");
    }
    mail.amend("x@y", &["c@d"]);
    assert_eq!(mail.deliver().await, "452 4.3.1 No storage backend");
}

#[tokio::test]
async fn a_large_message_arrives_whole() {
    let line = "x".repeat(98);
    let body = format!("{line}\r\n").repeat(10_000);
    // What a backend gets is compared line by line.
    let expected: &'static str = format!("C: {line}").leak();
    let script = [
        [
            "C: MAIL FROM:<a@b>",
            "C: RCPT TO:<c@d>",
            "S: 250 ok",
            "S: 250 ok",
        ]
        .as_slice(),
        &["C: DATA", "S: 354 go", "C: A: b", "C: "],
        &vec![expected; 10_000],
        &["C: .", "S: 250 2.6.0 queued"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted(&script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    mail.offer("c@d").await;
    let body = Content::from(body.into_bytes());
    let message = Message::new(b"A: b\r\n\r\n", &body);
    assert_eq!(mail.deliver_message(&message).await, "250 2.6.0 queued");
    playing.await.unwrap();
}

/// Octets after a reply must not be taken for the reply to the next command.
#[tokio::test]
async fn a_connection_with_a_reply_too_many_is_not_used_again() {
    const REPLY: &str = "S: 250 2.0.0 queued\r\n250 2.0.0 and another";
    let first = [&ENVELOPE_OK, MESSAGE.as_slice(), &[REPLY, "end"]].concat();
    let second = [
        &ENVELOPE_OK,
        MESSAGE.as_slice(),
        &["S: 250 2.0.0 second", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted(&first), greeted(&second)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    for expected in ["250 2.0.0 queued", "250 2.0.0 second"] {
        let mut mail = begin(&delivery);
        assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
        assert_eq!(mail.deliver().await, expected);
    }
    drop(delivery);
    playing.await.unwrap();
}

const ENVELOPE_OK: [&str; 4] = [
    "C: MAIL FROM:<a@b>",
    "C: RCPT TO:<c@d>",
    "S: 250 ok",
    "S: 250 ok",
];
