use std::net::{IpAddr, Ipv4Addr};

use postgate_config::BackendAddress;
use postgate_proto::address::ReversePath;
use postgate_spool::Content;

use super::script::{MESSAGE, greeted_lmtp, play};
use super::support::{Mail, begin, delivery, recipient, reply};
use crate::{Announced, Attempt, Delivery, Message, OriginalMessage, delivered_before};

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
    let message = Message::new(b"A: b\r\n\r\n", &body);
    deliver_rest(delivery, &mut mail, &message).await
}

/// Hands a message over to those recipients who do not have it.
async fn deliver_rest(delivery: &Delivery, mail: &mut Mail, message: &Message<'_>) -> String {
    deliver_turning_away(delivery, mail, message, &[]).await
}

/// The same, where the client has named others who were refused.
async fn deliver_turning_away(
    delivery: &Delivery,
    mail: &mut Mail,
    message: &Message<'_>,
    others: &[&str],
) -> String {
    let envelope = &mail.envelope;
    let others: Vec<_> = others.iter().map(|address| recipient(address)).collect();
    let attempt = Attempt {
        client: CLIENT,
        size: None,
        message: OriginalMessage {
            sender: &ReversePath::Null,
            head: b"A: b\r\n\r\n",
            body: message.body,
        },
        recipients: &envelope.recipients,
        others: others.iter().collect(),
    };
    let rest = delivery.rest(attempt).await.unwrap();
    assert_eq!(rest.count(), envelope.recipients.len());
    if rest.is_delivered() {
        delivery.complete(&rest);
        return delivered_before().reply().to_string();
    }
    let transaction = &mut mail.transaction;
    let delivered = transaction.deliver(envelope, rest.recipients(), message);
    match delivered.await {
        Ok(acceptance) => {
            delivery.complete(&rest);
            acceptance.reply().to_string()
        }
        Err(error) => reply(Err(delivery.failed(&rest, error).await)),
    }
}

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

const fn announced() -> Announced<'static> {
    Announced {
        client: CLIENT,
        sender: &ReversePath::Null,
        size: None,
    }
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
        &["S: 450 4.2.1 still busy", "C: QUIT"],
    ]
    .concat();
    let again = [
        ENVELOPE.as_slice(),
        &REST,
        &MESSAGE,
        &["S: 250 2.0.0 at last"],
        // The client has got the last of that: what comes now is another message.
        &ENVELOPE,
        &MESSAGE,
        &["S: 250 2.0.0 first", "S: 250 2.0.0 second", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted_lmtp(&script), greeted_lmtp(&again)]).await;
    let delivery = delivery(BackendAddress::Lmtp(address));
    for expected in [
        "451 4.3.0 Not yet delivered to all",
        "451 4.3.0 Not yet delivered to all",
        "250 2.0.0 at last",
        "250 2.0.0 second",
    ] {
        let reply = attempt(&delivery).await;
        assert!(reply.starts_with(expected), "{reply}");
    }
    drop(delivery);
    playing.await.unwrap();
}

/// A message that looks the same and goes only to those who had the first one is not a retry.
#[tokio::test]
async fn a_second_message_is_not_swallowed() {
    const SECOND: [&str; 4] = [
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 250 ok",
    ];
    let script = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &["S: 250 ok", "S: 450 4.2.1 busy"],
        &SECOND,
        &MESSAGE,
        &["S: 250 2.0.0 second message"],
        // The client of the first one has named the other recipient, who was refused.
        &SECOND,
        &["end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted_lmtp(&script)]).await;
    let delivery = delivery(BackendAddress::Lmtp(address));
    attempt(&delivery).await;
    let body = Content::from(b".body\r\n".to_vec());
    let message = Message::new(b"A: b\r\n\r\n", &body);
    for (others, expected) in [
        (&[][..], "250 2.0.0 second message"),
        (&["e@f"], "250 2.0.0 Delivered before"),
    ] {
        let mut mail = begin(&delivery);
        mail.offer("c@d").await;
        let reply = deliver_turning_away(&delivery, &mut mail, &message, others);
        assert_eq!(reply.await, expected);
    }
    drop(delivery);
    playing.await.unwrap();
}

/// The client reads 451 at each attempt, and would take both recipients for failed in the end.
#[tokio::test]
async fn a_permanent_refusal_of_one_recipient_is_kept_for_the_next_attempt() {
    for (first, second, expected) in [
        ("S: 250 ok", "S: 552 5.2.2 full", "451 4.3.0 Not yet"),
        ("S: 450 4.2.1 busy", "S: 552 5.2.2 full", "450 4.2.1 busy"),
    ] {
        let script = [ENVELOPE.as_slice(), &MESSAGE, &[first, second, "end"]].concat();
        let (address, playing) = play(vec![greeted_lmtp(&script)]).await;
        let delivery = delivery(BackendAddress::Lmtp(address));
        let reply = attempt(&delivery).await;
        assert!(reply.starts_with(expected), "{reply}");
        let take = |address| {
            let refusal = delivery.take_refusal(announced(), &recipient(address));
            refusal.map(|refusal| refusal.reply().to_string())
        };
        assert_eq!(take("c@d"), None);
        assert_eq!(take("e@F"), Some("552 5.2.2 full".to_owned()));
        assert_eq!(take("e@f"), None, "it is told once");
        drop(delivery);
        playing.await.unwrap();
    }
}

/// What all are refused for good is told at once.
#[tokio::test]
async fn a_refusal_that_was_told_is_not_kept() {
    let both = ["S: 552 5.2.2 full", "S: 550 5.2.1 gone", "end"];
    let script = [ENVELOPE.as_slice(), &MESSAGE, &both].concat();
    let (address, playing) = play(vec![greeted_lmtp(&script)]).await;
    let delivery = delivery(BackendAddress::Lmtp(address));
    assert_eq!(attempt(&delivery).await, "552 5.2.2 full");
    for address in ["c@d", "e@f"] {
        let taken = delivery.take_refusal(announced(), &recipient(address));
        assert_eq!(taken, None, "{address}");
    }
    drop(delivery);
    playing.await.unwrap();
}

/// Plays two connections: the first attempt has this reply, and the second one delivers the rest.
async fn taken_at_the_second_attempt(first: &[&'static str], second: &[&'static str], reply: &str) {
    let (address, playing) = play(vec![greeted_lmtp(first), greeted_lmtp(second)]).await;
    let delivery = delivery(BackendAddress::Lmtp(address));
    let said = attempt(&delivery).await;
    assert!(said.starts_with(reply), "{said}");
    assert_eq!(attempt(&delivery).await, "250 2.0.0 at last");
    drop(delivery);
    playing.await.unwrap();
}

/// 421 is the end of the session, and comes with the replies for the others.
#[tokio::test]
async fn a_server_that_ends_the_session_has_answered_for_the_others() {
    for (both, rest) in [
        (["S: 421 4.3.2 bye", "S: 250 ok"], "c@d"),
        (["S: 250 ok", "S: 421 4.3.2 bye"], "e@f"),
    ] {
        let first = [ENVELOPE.as_slice(), &MESSAGE, &both, &["C: QUIT", "end"]].concat();
        let again: &'static str = format!("C: RCPT TO:<{rest}>").leak();
        let second = [
            ENVELOPE.as_slice(),
            &["C: RSET", "C: MAIL FROM:<a@b>", again],
            &["S: 250 ok", "S: 250 ok", "S: 250 ok"],
            &MESSAGE,
            &["S: 250 2.0.0 at last", "end"],
        ]
        .concat();
        taken_at_the_second_attempt(&first, &second, "451 4.3.0 ").await;
    }
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
    taken_at_the_second_attempt(&first, &second, "451 4.4.2 ").await;
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
        ..Message::new(b"A: b\r\n\r\n", &body)
    };
    assert_eq!(
        deliver_rest(&delivery, &mut mail, &message).await,
        "250 2.0.0 at last"
    );
    drop((mail, delivery));
    playing.await.unwrap();
}
