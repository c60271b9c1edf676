use std::time::Duration;

use postgate_config::{Backend, BackendAddress};
use postgate_proto::reply::Refusal;
use postgate_spool::Content;

use super::script::{MESSAGE, greeted, play};
use super::support::{backend, begin, delivery};
use crate::{Delivery, Message};

const ENVELOPE: [&str; 4] = [
    "C: MAIL FROM:<a@b>",
    "C: RCPT TO:<c@d>",
    "S: 250 ok",
    "S: 250 ok",
];

/// Offers a recipient and, if it is accepted, delivers a message. Returns the last reply.
async fn attempt(delivery: &Delivery) -> String {
    let mut mail = begin(delivery);
    match mail.offer("c@d").await {
        reply if reply.starts_with('2') => mail.deliver().await,
        reply => {
            assert_eq!(mail.offer("e@f").await, reply);
            reply
        }
    }
}

/// Plays each script as the only connection, and checks the reply to the client.
async fn check(table: impl IntoIterator<Item = (Vec<&'static str>, &str)>) {
    for (script, expected) in table {
        let shown = format!("{script:?}");
        let (address, playing) = play(vec![script]).await;
        let delivery = delivery(BackendAddress::Smtp(address));
        let reply = attempt(&delivery).await;
        assert!(reply.starts_with(expected), "{shown}: {reply}");
        drop(delivery);
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn a_backend_that_refuses_or_hangs_up_at_the_greeting() {
    let hello = ["S: 220 hi", "C: EHLO gate.example"];
    check([
        (vec!["S: 554 5.7.1 no"], "451 4.3.0 "),
        (vec!["S: 421 4.3.2 busy"], "451 4.3.0 "),
        (vec!["S: SSH-2.0-x"], "451 4.3.0 "),
        (vec![], "451 4.4.2 "),
        (
            [hello.as_slice(), &["S: 450 4.3.2 no"]].concat(),
            "451 4.3.0 ",
        ),
        (
            [hello.as_slice(), &["S: 421 4.3.2 no"]].concat(),
            "451 4.3.0 ",
        ),
        (hello.to_vec(), "451 4.4.2 "),
    ])
    .await;
}

#[tokio::test]
async fn a_backend_that_talks_nonsense_or_hangs_up_at_the_envelope() {
    check([
        (greeted(&["C: MAIL FROM:<a@b>"]), "451 4.4.2 "),
        (greeted(&["C: MAIL FROM:<a@b>", "S: 354 go"]), "451 4.3.0 "),
        (
            greeted(&["C: MAIL FROM:<a@b>", "S: 421 4.3.2 no"]),
            "451 4.3.0 ",
        ),
        (greeted(&ENVELOPE[..3]), "451 4.4.2 "),
        (
            greeted(&[&ENVELOPE[..3], &["S: 999 what"]].concat()),
            "451 4.3.0 ",
        ),
        (
            greeted(&[&ENVELOPE[..3], &["S: 421 4.3.2 no"]].concat()),
            "451 4.3.0 ",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_backend_that_refuses_or_talks_nonsense_or_hangs_up_at_the_message() {
    let until_data = [ENVELOPE.as_slice(), &["C: DATA"]].concat();
    let all = [ENVELOPE.as_slice(), &MESSAGE].concat();
    check([
        (
            greeted(&[until_data.as_slice(), &["S: 554 5.7.1 no", "end"]].concat()),
            "554 5.7.1 no",
        ),
        (
            greeted(
                &[
                    until_data.as_slice(),
                    &["S: 452 4.3.1 full", "C: QUIT", "end"],
                ]
                .concat(),
            ),
            "452 4.3.1 full",
        ),
        (greeted(&all), "451 4.4.2 "),
        (
            greeted(&[all.as_slice(), &["S: 354 go"]].concat()),
            "451 4.3.0 ",
        ),
        (
            greeted(&[all.as_slice(), &["S: what"]].concat()),
            "451 4.3.0 ",
        ),
        (
            greeted(&[all.as_slice(), &["S: 421 4.3.2 no"]].concat()),
            "451 4.3.0 ",
        ),
        (
            greeted(&[all.as_slice(), &["S: 450 4.2.0 no", "C: QUIT", "end"]].concat()),
            "450 4.2.0 no",
        ),
        (
            greeted(&[all.as_slice(), &["S: 550 5.7.1 no", "end"]].concat()),
            "550 5.7.1 no",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_message_that_the_backend_does_not_read_to_its_end() {
    let script = greeted(
        &[
            ENVELOPE.as_slice(),
            &["C: DATA", "S: 354 go", "C: A: b", "S: 552 5.3.4 too big"],
        ]
        .concat(),
    );
    let (address, playing) = play(vec![script]).await;
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

#[tokio::test]
async fn a_backend_that_is_not_there() {
    let (address, playing) = play(vec![]).await;
    playing.await.unwrap();
    let reply = attempt(&delivery(BackendAddress::Smtp(address))).await;
    assert!(reply.starts_with("451 4.4.1 "), "{reply}");
    let directory = tempfile::tempdir().unwrap();
    let missing = BackendAddress::LmtpUnix(directory.path().join("missing"));
    let reply = attempt(&delivery(missing)).await;
    assert!(reply.starts_with("451 4.4.1 "), "{reply}");
}

#[tokio::test]
async fn a_backend_that_takes_too_long() {
    let all = [ENVELOPE.as_slice(), &MESSAGE].concat();
    let scripts = [vec![], greeted(&ENVELOPE[..3]), greeted(&all)];
    for (phase, mut script) in scripts.into_iter().enumerate() {
        // The backend is silent until the gateway closes the connection.
        script.push("end");
        let (address, playing) = play(vec![script]).await;
        let mut backend = backend(BackendAddress::Smtp(address));
        *[
            &mut backend.connect_timeout,
            &mut backend.command_timeout,
            &mut backend.data_timeout,
        ][phase] = Duration::from_secs(1);
        let delivery = Delivery::new(&backend, "gate.example").unwrap();
        let reply = attempt(&delivery).await;
        assert!(reply.starts_with("451 4.4.2 "), "{reply}");
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_backend_has_closed_is_replaced() {
    let last_words = [ENVELOPE.as_slice(), &MESSAGE, &["S: 250 2.0.0 first"]].concat();
    let second = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &["S: 250 2.0.0 second", "end"],
    ]
    .concat();
    let table = [
        // Without a reply, with one, and in reply to the next transaction.
        last_words.clone(),
        [last_words.as_slice(), &["S: 421 4.4.2 idle"]].concat(),
        [
            last_words.as_slice(),
            &["C: MAIL FROM:<a@b>", "S: 421 4.4.2 idle"],
        ]
        .concat(),
        [last_words.as_slice(), &["C: MAIL FROM:<a@b>"]].concat(),
        [last_words.as_slice(), &["C: MAIL FROM:<a@b>", "S: what"]].concat(),
    ];
    for first in table {
        let (address, playing) = play(vec![greeted(&first), greeted(&second)]).await;
        let delivery = delivery(BackendAddress::Smtp(address));
        assert_eq!(attempt(&delivery).await, "250 2.0.0 first");
        assert_eq!(attempt(&delivery).await, "250 2.0.0 second", "{first:?}");
        drop(delivery);
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_went_stale_before_data_is_replaced() {
    let second = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &["S: 250 2.0.0 second", "end"],
    ]
    .concat();
    for first in [
        ENVELOPE.to_vec(),
        [ENVELOPE.as_slice(), &["C: DATA", "S: 421 4.4.2 too slow"]].concat(),
    ] {
        let (address, playing) = play(vec![greeted(&first), greeted(&second)]).await;
        let delivery = delivery(BackendAddress::Smtp(address));
        assert_eq!(attempt(&delivery).await, "250 2.0.0 second", "{first:?}");
        drop(delivery);
        playing.await.unwrap();
    }
}

/// The backend may have taken a message whose reply was lost: it is not sent twice.
#[tokio::test]
async fn a_message_without_a_reply_is_not_sent_again() {
    let script = greeted(&[ENVELOPE.as_slice(), &MESSAGE].concat());
    let (address, playing) = play(vec![script]).await;
    let reply = attempt(&delivery(BackendAddress::Smtp(address))).await;
    assert!(reply.starts_with("451 4.4.2 "), "{reply}");
    playing.await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limits_of_the_pool_are_closed() {
    let script = greeted(&[ENVELOPE.as_slice(), &["C: QUIT", "end"]].concat());
    for (max_idle, idle_timeout) in [(0, Duration::from_secs(60)), (4, Duration::ZERO)] {
        let (address, playing) = play(vec![script.clone(), script.clone()]).await;
        let backend = Backend {
            max_idle,
            idle_timeout,
            ..backend(BackendAddress::Smtp(address))
        };
        let delivery = Delivery::new(&backend, "gate.example").unwrap();
        for _ in 0..2 {
            let mut mail = begin(&delivery);
            assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
        }
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn a_message_without_a_recipient_goes_nowhere() {
    let (address, _) = play(vec![]).await;
    let mut mail = begin(&delivery(BackendAddress::Smtp(address)));
    assert_eq!(mail.deliver().await, "554 5.5.1 No valid recipients");
}

/// It is unknown how much of a command was sent if a call is dropped before it ends.
#[tokio::test]
async fn a_connection_is_not_used_again_after_a_call_was_dropped() {
    let first = [ENVELOPE.as_slice(), &["C: RCPT TO:<e@f>", "end"]].concat();
    let second = [ENVELOPE.as_slice(), &["end"]].concat();
    let (address, playing) = play(vec![greeted(&first), greeted(&second)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
    let unanswered = tokio::time::timeout(Duration::from_secs(1), mail.offer("e@f"));
    unanswered.await.unwrap_err();
    let later = Refusal::TRY_LATER.reply().to_string();
    assert_eq!(mail.offer("g@h").await, later);
    assert_eq!(mail.deliver().await, later);
    drop(mail);
    assert_eq!(begin(&delivery).offer("c@d").await, "250 2.0.0 ok");
    drop(delivery);
    playing.await.unwrap();
}

/// A 250 that nobody has asked for is not the reply to the message.
#[tokio::test]
async fn a_reply_in_the_segment_of_the_go_ahead_accepts_nothing() {
    let envelope_and_data = [ENVELOPE.as_slice(), &["C: DATA"]].concat();
    let early = [
        envelope_and_data.as_slice(),
        &["S: 354 go\r\n250 2.0.0 queued", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted(&early), greeted(&early)]).await;
    let reply = attempt(&delivery(BackendAddress::Smtp(address))).await;
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    playing.await.unwrap();
}

/// A server that refuses every message on an old connection gets a new one for each.
#[tokio::test]
async fn a_connection_on_which_mail_is_refused_for_now_is_retired() {
    let refused = "S: 452 4.5.3 too many messages in this session";
    let first = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &[
            "S: 250 2.0.0 first",
            "C: MAIL FROM:<a@b>",
            "C: RCPT TO:<c@d>",
        ],
        &[refused, "S: 503 5.5.1 no MAIL", "C: QUIT", "end"],
    ]
    .concat();
    let second = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &["S: 250 2.0.0 second", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted(&first), greeted(&second)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    assert_eq!(attempt(&delivery).await, "250 2.0.0 first");
    assert_eq!(attempt(&delivery).await, "250 2.0.0 second");
    drop(delivery);
    playing.await.unwrap();
}

#[tokio::test]
async fn permanent_refusals_with_unusual_codes_are_permanent() {
    for (said, expected) in [
        ("S: 521 5.3.2 no mail", "550 5.3.2 no mail"),
        ("S: 556 5.1.10 null MX", "556 5.1.10 null MX"),
        ("S: 599 5.7.1 odd", "599 5.7.1 odd"),
    ] {
        let at_rcpt = [&ENVELOPE[..3], &[said, "end"]].concat();
        let at_dot = [ENVELOPE.as_slice(), &MESSAGE, &[said, "end"]].concat();
        for script in [at_rcpt, at_dot] {
            let (address, playing) = play(vec![greeted(&script)]).await;
            let delivery = delivery(BackendAddress::Smtp(address));
            let mut mail = begin(&delivery);
            let mut reply = mail.offer("c@d").await;
            if reply.starts_with('2') {
                reply = mail.deliver().await;
            }
            assert_eq!(reply, expected);
            drop((mail, delivery));
            playing.await.unwrap();
        }
    }
}
