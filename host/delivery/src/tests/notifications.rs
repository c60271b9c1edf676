use postgate_config::BackendAddress;
use postgate_proto::parameters::{MailParameters, Parameter};

use super::script::{offering, play};
use super::support::{begin, begin_with, delivery};

const DSN: [&str; 2] = ["S: 250-DSN", "S: 250-SMTPUTF8"];

fn parameter(name: &str, value: &str) -> Parameter {
    Parameter {
        name: name.into(),
        value: value.into(),
    }
}

fn envelope() -> MailParameters {
    MailParameters {
        all: vec![
            parameter("RET", "HDRS"),
            parameter("ENVID", "QQ3"),
            parameter("AUTH", "a@b"),
        ],
        ..MailParameters::default()
    }
}

fn original() -> [Parameter; 2] {
    [
        parameter("NOTIFY", "SUCCESS,FAILURE"),
        parameter("ORCPT", "rfc822;c@d"),
    ]
}

#[tokio::test]
async fn what_is_asked_for_is_passed_on_where_it_is_offered() {
    let table: [(&[&str], [&str; 7]); 2] = [
        (
            &DSN,
            [
                "C: MAIL FROM:<a@b> RET=HDRS ENVID=QQ3",
                "C: RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c@d",
                "S: 250 ok",
                "S: 250 ok",
                "C: RCPT TO:<e@f> NOTIFY=NEVER",
                "S: 250 ok",
                "end",
            ],
        ),
        (
            &[],
            [
                "C: MAIL FROM:<a@b>",
                "C: RCPT TO:<c@d>",
                "S: 250 ok",
                "S: 250 ok",
                "C: RCPT TO:<e@f>",
                "S: 250 ok",
                "end",
            ],
        ),
    ];
    for (keywords, script) in table {
        let (address, playing) = play(vec![offering(keywords, &script)]).await;
        let delivery = delivery(BackendAddress::Smtp(address));
        let mut mail = begin_with(&delivery, "a@b", envelope());
        for (address, parameters) in [
            ("c@d", original().as_slice()),
            ("e@f", &[parameter("NOTIFY", "NEVER")]),
        ] {
            let reply = mail.offer_with(address, parameters).await;
            assert_eq!(reply, "250 2.0.0 ok");
        }
        drop((mail, delivery));
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn an_amended_envelope_keeps_what_was_asked_for() {
    let script = [
        "C: MAIL FROM:<a@b> RET=HDRS ENVID=QQ3",
        "C: RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c@d",
        "S: 250 ok",
        "S: 250 ok",
        "C: RSET",
        "C: MAIL FROM:<x@y> RET=HDRS ENVID=QQ3",
        "C: RCPT TO:<e@f>",
        "C: RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c@d",
        "S: 250 ok",
        "S: 250 ok",
        "S: 250 ok",
        "S: 250 ok",
        "C: DATA",
        "S: 550 5.2.0 no",
        "C: RSET",
        "C: MAIL FROM:<> RET=HDRS ENVID=QQ3",
        "C: RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c@d",
        "S: 250 ok",
        "S: 250 ok",
        "S: 250 ok",
        "C: DATA",
        "S: 550 5.2.0 no",
        "end",
    ];
    let (address, playing) = play(vec![offering(&DSN, &script)]).await;
    let delivery = delivery(BackendAddress::Smtp(address));
    let mut mail = begin_with(&delivery, "a@b", envelope());
    mail.offer_with("c@d", &original()).await;
    for (sender, recipients) in [("x@y", ["e@f", "c@d"].as_slice()), ("", &["c@d"])] {
        mail.amend(sender, recipients);
        assert_eq!(mail.deliver().await, "550 5.2.0 no");
    }
    drop((mail, delivery));
    playing.await.unwrap();
}

/// An address in UTF-8 is written in ASCII if the transaction does not have SMTPUTF8 (RFC 6533 §3).
#[tokio::test]
async fn an_original_recipient_in_utf8_is_written_in_ascii_without_smtputf8() {
    for (address, mail, rcpt) in [
        (
            "c@d",
            "C: MAIL FROM:<a@b>",
            "C: RCPT TO:<c@d> NOTIFY=NEVER ORCPT=utf-8;\\x{E9}@d",
        ),
        (
            "ç@d",
            "C: MAIL FROM:<a@b> SMTPUTF8",
            "C: RCPT TO:<ç@d> NOTIFY=NEVER ORCPT=utf-8;é@d",
        ),
    ] {
        let script = [mail, rcpt, "S: 250 ok", "S: 250 ok", "end"];
        let (backend, playing) = play(vec![offering(&DSN, &script)]).await;
        let delivery = delivery(BackendAddress::Smtp(backend));
        let mut mail = begin(&delivery);
        let parameters = [
            parameter("NOTIFY", "NEVER"),
            parameter("ORCPT", "utf-8;é@d"),
        ];
        let reply = mail.offer_with(address, &parameters).await;
        assert_eq!(reply, "250 2.0.0 ok");
        drop((mail, delivery));
        playing.await.unwrap();
    }
}
