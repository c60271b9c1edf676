//! REQUIRETLS (RFC 8689).

use postgate_config::{Backend, BackendAddress, BackendTls, BackendTrust};
use postgate_proto::parameters::{MailParameters, Parameter};

use super::super::script::{offering, offering_lmtp, play_tls, play_unix};
use super::super::support::{backend, begin_with, delivery};
use super::authority::{Authority, ENVELOPE, HELLO, starting};
use crate::Delivery;

#[tokio::test]
async fn a_message_that_requires_tls_goes_nowhere_else() {
    const REQUIRED: &str = "550 5.7.30 REQUIRETLS support required";
    const KEEPING: [&str; 4] = [
        "C: EHLO gate.example",
        "S: 250-hi",
        "S: 250-REQUIRETLS",
        "S: 250 PIPELINING",
    ];
    const FLAGGED: [&str; 4] = [
        "C: MAIL FROM:<a@b> REQUIRETLS",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 250 2.1.5 fine",
    ];
    let authority = Authority::new();
    let served = authority.server("store.example", |_| ());
    let verified = || Some(authority.trusting());
    let anybody = || {
        Some(BackendTls {
            trust: BackendTrust::Anybody,
            ..authority.trusting()
        })
    };
    let keeping = starting(&[&["TLS"], KEEPING.as_slice(), &FLAGGED].concat());
    let keeping_refused = starting(&[&["TLS"], KEEPING.as_slice(), &["end"]].concat());
    let unaware = starting(&[&["TLS"], HELLO.as_slice(), &["end"]].concat());
    let clear = offering(&["S: 250-REQUIRETLS"], &["end"]);
    for (tls, script, expected) in [
        (verified(), keeping, "250 2.1.5 fine"),
        (verified(), unaware, REQUIRED),
        (anybody(), keeping_refused, REQUIRED),
        (None, clear, REQUIRED),
    ] {
        let (address, playing) = play_tls(Some(served.acceptor()), vec![script]).await;
        let backend = Backend {
            tls,
            ..backend(BackendAddress::Smtp(address))
        };
        let delivery = Delivery::new(&backend, "gate.example").unwrap();
        let mut mail = begin_with(&delivery, "a@b", requiring_tls());
        assert_eq!(mail.offer("c@d").await, expected);
        drop((mail, delivery));
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn a_message_that_requires_tls_does_not_leave_the_machine_over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lmtp");
    let playing = play_unix(&path, vec![offering_lmtp(&[], &ENVELOPE)]);
    let delivery = delivery(BackendAddress::LmtpUnix(path));
    let mut mail = begin_with(&delivery, "a@b", requiring_tls());
    assert_eq!(mail.offer("c@d").await, "250 2.1.5 fine");
    drop((mail, delivery));
    playing.await.unwrap();
}

fn requiring_tls() -> MailParameters {
    MailParameters {
        all: vec![Parameter {
            name: "REQUIRETLS".into(),
            value: "".into(),
        }],
        ..MailParameters::default()
    }
}
