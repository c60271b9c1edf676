use postgate_config::BackendAddress;
use postgate_proto::address::ReversePath;
use postgate_spool::Content;

use super::script::{MESSAGE, greeted_lmtp, play};
use super::support::{Mail, begin, delivery, reply};
use crate::{Delivery, Message, delivered_before};

const ENVELOPE: [&str; 6] = [
    "C: MAIL FROM:<a@b>",
    "C: RCPT TO:<c@d>",
    "S: 250 ok",
    "S: 250 ok",
    "C: RCPT TO:<e@f>",
    "S: 250 ok",
];

/// The envelope without `c@d`, who has the message.
const REST: [&str; 6] = [
    "C: RSET",
    "C: MAIL FROM:<a@b>",
    "C: RCPT TO:<e@f>",
    "S: 250 ok",
    "S: 250 ok",
    "S: 250 ok",
];

async fn attempt(delivery: &Delivery) -> String {
    let mut mail = begin(delivery);
    assert_eq!(mail.offer("c@d").await, "250 2.0.0 ok");
    assert_eq!(mail.offer("e@f").await, "250 2.0.0 ok");
    let body = Content::from(b".body\r\n".to_vec());
    let message = Message::new(&ReversePath::Null, b"A: b\r\n\r\n", &body);
    deliver_rest(delivery, &mut mail, &message).await
}

/// Hands a message over to those recipients who do not have it.
async fn deliver_rest(delivery: &Delivery, mail: &mut Mail, message: &Message<'_>) -> String {
    let envelope = &mail.envelope;
    let rest = delivery.rest(envelope, message.original).await.unwrap();
    assert_eq!(rest.count(), envelope.recipients.len());
    if rest.is_delivered() {
        return delivered_before().reply().to_string();
    }
    let delivered = mail
        .transaction
        .deliver(envelope, rest.recipients(), message);
    reply(delivered.await.map_err(|error| rest.failure(error)))
}

#[tokio::test]
async fn one_reply_comes_out_of_one_for_each_recipient() {
    for (first, second, expected) in [
        (
            "S: 250 2.0.0 first",
            "S: 250 2.0.0 second",
            "250 2.0.0 second",
        ),
        ("S: 552 5.2.2 full", "S: 450 4.2.1 busy", "450 4.2.1 busy"),
        ("S: 552 5.2.2 full", "S: 550 5.2.1 gone", "552 5.2.2 full"),
    ] {
        let script = [ENVELOPE.as_slice(), &MESSAGE, &[first, second, "end"]].concat();
        let (address, playing) = play(vec![greeted_lmtp(&script)]).await;
        let delivery = delivery(BackendAddress::Lmtp(address));
        assert_eq!(attempt(&delivery).await, expected);
        drop(delivery);
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn a_retry_leaves_out_those_who_have_the_message() {
    let script = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &["S: 250 ok", "S: 450 4.2.1 busy"],
        &ENVELOPE,
        &REST,
        &MESSAGE,
        &["S: 250 2.0.0 at last"],
        &ENVELOPE,
        &REST,
        &MESSAGE,
        &["S: 450 4.2.1 again", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted_lmtp(&script)]).await;
    let delivery = delivery(BackendAddress::Lmtp(address));
    let first = attempt(&delivery).await;
    assert!(
        first.starts_with("451 4.3.0 Not yet delivered to all"),
        "{first}"
    );
    assert_eq!(attempt(&delivery).await, "250 2.0.0 at last");
    // A client that has not got that reply tries again.
    let third = attempt(&delivery).await;
    assert!(
        third.starts_with("451 4.3.0 Not yet delivered to all"),
        "{third}"
    );
    drop(delivery);
    playing.await.unwrap();
}

#[tokio::test]
async fn a_message_for_nobody_else_needs_no_second_delivery() {
    let script = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &["S: 250 ok", "S: 450 4.2.1 busy"],
        &[
            "C: MAIL FROM:<a@b>",
            "C: RCPT TO:<c@d>",
            "S: 250 ok",
            "S: 250 ok",
            "end",
        ],
    ]
    .concat();
    let (address, playing) = play(vec![greeted_lmtp(&script)]).await;
    let delivery = delivery(BackendAddress::Lmtp(address));
    attempt(&delivery).await;
    let mut mail = begin(&delivery);
    mail.offer("c@d").await;
    let body = Content::from(b".body\r\n".to_vec());
    let message = Message::new(&ReversePath::Null, b"A: b\r\n\r\n", &body);
    assert_eq!(
        deliver_rest(&delivery, &mut mail, &message).await,
        "250 2.0.0 Delivered before"
    );
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn what_was_answered_before_the_connection_broke_counts() {
    let first = [ENVELOPE.as_slice(), &MESSAGE, &["S: 250 ok"]].concat();
    let second = [
        ENVELOPE.as_slice(),
        &REST,
        &MESSAGE,
        &["S: 250 2.0.0 at last", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted_lmtp(&first), greeted_lmtp(&second)]).await;
    let delivery = delivery(BackendAddress::Lmtp(address));
    let reply = attempt(&delivery).await;
    assert!(reply.starts_with("451 4.4.2 "), "{reply}");
    assert_eq!(attempt(&delivery).await, "250 2.0.0 at last");
    drop(delivery);
    playing.await.unwrap();
}

/// The fields that the gateway adds are different at each attempt.
#[tokio::test]
async fn a_message_is_recognised_by_what_the_client_gave() {
    let mut busy = MESSAGE;
    busy[2] = "C: Received: again";
    let script = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &["S: 250 ok", "S: 450 4.2.1 busy"],
        &ENVELOPE,
        &REST,
        &busy,
        &["S: 250 2.0.0 at last", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted_lmtp(&script)]).await;
    let delivery = delivery(BackendAddress::Lmtp(address));
    attempt(&delivery).await;
    let mut mail = begin(&delivery);
    mail.offer("c@d").await;
    mail.offer("e@f").await;
    let body = Content::from(b".body\r\n".to_vec());
    let message = Message {
        head: b"Received: again\r\n\r\n",
        ..Message::new(&ReversePath::Null, b"A: b\r\n\r\n", &body)
    };
    assert_eq!(
        deliver_rest(&delivery, &mut mail, &message).await,
        "250 2.0.0 at last"
    );
    drop((mail, delivery));
    playing.await.unwrap();
}
