//! Pooled connections whose other end has forgotten them without a word.

use std::time::Duration;

use postgate_config::{Backend, BackendAddress};

use super::script::{Connections, MESSAGE, greeted, play, play_at_once};
use super::support::{backend, begin};
use crate::Delivery;

const ENVELOPE: [&str; 4] = [
    "C: MAIL FROM:<a@b>",
    "C: RCPT TO:<c@d>",
    "S: 250 ok",
    "S: 250 ok",
];

/// A backend for which the gateway would wait longer than any test takes.
async fn start(connections: Connections) -> (Delivery, tokio::task::JoinHandle<()>) {
    let (address, playing) = play(connections).await;
    let patient = Backend {
        command_timeout: Duration::from_secs(60 * 60),
        ..backend(BackendAddress::Smtp(address))
    };
    (Delivery::new(&patient, "gate.example").unwrap(), playing)
}

async fn attempt(delivery: &Delivery, recipients: &[&str]) -> String {
    let mut mail = begin(delivery);
    for recipient in recipients {
        let reply = mail.offer(recipient).await;
        assert!(reply.starts_with("250"), "{recipient}: {reply}");
    }
    mail.deliver().await
}

fn first() -> Vec<&'static str> {
    [ENVELOPE.as_slice(), &MESSAGE, &["S: 250 2.0.0 first"]].concat()
}

/// A connection that was used once is silent after these lines of the second transaction, for which
/// another connection is made.
async fn silent_after(lines: &[&'static str]) {
    let silent = [first().as_slice(), lines, &["end"]].concat();
    let fresh = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &["S: 250 2.0.0 second", "end"],
    ]
    .concat();
    let (delivery, playing) = start(vec![greeted(&silent), greeted(&fresh)]).await;
    assert_eq!(attempt(&delivery, &["c@d"]).await, "250 2.0.0 first");
    assert_eq!(attempt(&delivery, &["c@d"]).await, "250 2.0.0 second");
    drop(delivery);
    playing.await.unwrap();
}

#[tokio::test]
async fn silence_at_the_beginning_of_a_transaction() {
    silent_after(&ENVELOPE[..2]).await;
}

#[tokio::test]
async fn silence_at_another_recipient() {
    let rcpt = ["C: RCPT TO:<e@f>"];
    let silent = [first().as_slice(), &ENVELOPE, &rcpt, &["end"]].concat();
    let fresh = [
        ENVELOPE.as_slice(),
        &rcpt,
        &["S: 250 ok"],
        &MESSAGE,
        &["S: 250 2.0.0 second", "end"],
    ]
    .concat();
    let (delivery, playing) = start(vec![greeted(&silent), greeted(&fresh)]).await;
    assert_eq!(attempt(&delivery, &["c@d"]).await, "250 2.0.0 first");
    let reply = attempt(&delivery, &["c@d", "e@f"]).await;
    assert_eq!(reply, "250 2.0.0 second");
    drop(delivery);
    playing.await.unwrap();
}

/// Nothing of the message was sent, so that nobody gets it twice.
#[tokio::test]
async fn silence_at_data() {
    silent_after(&[ENVELOPE.as_slice(), &["C: DATA"]].concat()).await;
}

/// What was in the pool together with a dead connection is not tried one by one.
#[tokio::test]
async fn one_dead_connection_tells_of_the_others() {
    let silent = [first().as_slice(), &ENVELOPE[..2], &["end"]].concat();
    let other = [first().as_slice(), &["C: QUIT", "end"]].concat();
    let fresh = [
        ENVELOPE.as_slice(),
        &MESSAGE,
        &["S: 250 2.0.0 second", "end"],
    ]
    .concat();
    let (address, playing) =
        play_at_once(vec![greeted(&other), greeted(&silent), greeted(&fresh)]).await;
    let patient = Backend {
        command_timeout: Duration::from_secs(60 * 60),
        ..backend(BackendAddress::Smtp(address))
    };
    let delivery = Delivery::new(&patient, "gate.example").unwrap();
    let (mut one, mut two) = (begin(&delivery), begin(&delivery));
    one.offer("c@d").await;
    two.offer("c@d").await;
    assert_eq!(one.deliver().await, "250 2.0.0 first");
    assert_eq!(two.deliver().await, "250 2.0.0 first");
    assert_eq!(attempt(&delivery, &["c@d"]).await, "250 2.0.0 second");
    drop((one, two, delivery));
    playing.await.unwrap();
}
