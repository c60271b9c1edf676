//! Envelopes that plugins have changed after the backend has accepted recipients.

use postgate_config::BackendAddress;

use super::script::{MESSAGE, greeted, play};
use super::support::{begin, delivery, recipient};

#[tokio::test]
async fn an_amended_envelope_is_accepted_as_a_whole_or_not_at_all() {
    let first = [
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 250 ok",
    ];
    let amended = [
        "C: RSET",
        "C: MAIL FROM:<x@y>",
        "C: RCPT TO:<c@d>",
        "C: RCPT TO:<e@f>",
    ];
    let script = [
        &first,
        &amended,
        ["S: 250 ok"; 4].as_slice(),
        &MESSAGE,
        &["S: 250 2.6.0 queued"],
        &first,
        &amended,
        &["S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 550 5.1.1 who"],
        &["end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted(&script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    mail.offer("c@d").await;
    mail.amend("x@y", &["c@d", "e@f"]);
    assert_eq!(mail.deliver().await, "250 2.6.0 queued");
    drop(mail);

    let mut mail = begin(&delivery);
    mail.offer("c@d").await;
    mail.amend("x@y", &["c@d", "e@f"]);
    // The client has not named e@f: it must not hear that there is no such recipient.
    assert!(mail.deliver().await.starts_with("451 4.3.0 "));
    // Nothing more is accepted, which now is about a recipient that the client has named.
    assert!(mail.transaction.has_accepted(&recipient("c@d")));
    mail.amend("a@b", &["c@d"]);
    assert_eq!(mail.deliver().await, "550 5.1.1 who");
    assert_eq!(mail.offer("g@h").await, "550 5.1.1 who");
    drop((mail, delivery));
    playing.await.unwrap();
}

#[tokio::test]
async fn the_client_hears_how_a_changed_envelope_is_refused() {
    let script = [
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 250 ok",
        "C: RCPT TO:<e@f>",
        "S: 250 ok",
        "C: RSET",
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 250 ok",
        "S: 550 5.1.1 who",
        "end",
    ];
    let (address, playing) = play(vec![greeted(&script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    mail.offer("c@d").await;
    mail.offer("e@f").await;
    mail.amend("a@b", &["c@d"]);
    assert_eq!(mail.deliver().await, "550 5.1.1 who");
    drop((mail, delivery));
    playing.await.unwrap();
}

/// A transaction that every recipient of the client was kept from begins with the message.
#[tokio::test]
async fn a_message_may_be_for_recipients_only_that_were_added() {
    let script = [
        &[
            "C: MAIL FROM:<a@b>",
            "C: RCPT TO:<c@d>",
            "S: 250 ok",
            "S: 250 ok",
        ],
        MESSAGE.as_slice(),
        &["S: 250 2.6.0 queued", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted(&script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    mail.amend("a@b", &["c@d"]);
    assert!(!mail.transaction.has_accepted(&recipient("c@d")));
    assert_eq!(mail.deliver().await, "250 2.6.0 queued");
    drop((mail, delivery));
    playing.await.unwrap();
}

/// A client may name a recipient twice.
#[tokio::test]
async fn a_recipient_that_was_named_twice_changes_nothing() {
    let script = [
        &[
            "C: MAIL FROM:<a@b>",
            "C: RCPT TO:<c@d>",
            "S: 250 ok",
            "S: 250 ok",
        ],
        ["C: RCPT TO:<c@d>", "S: 250 ok"].as_slice(),
        &MESSAGE,
        &["S: 250 2.6.0 queued", "end"],
    ]
    .concat();
    let (address, playing) = play(vec![greeted(&script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin(&delivery);
    mail.offer("c@d").await;
    mail.offer("c@d").await;
    assert!(mail.transaction.has_accepted(&recipient("c@d")));
    assert_eq!(mail.deliver().await, "250 2.6.0 queued");
    drop((mail, delivery));
    playing.await.unwrap();
}
