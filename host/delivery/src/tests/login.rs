//! Backends that require authentication.

use std::fs;

use postgate_config::{Backend, BackendAddress, BackendLogin};
use tempfile::TempDir;

use super::script::{Connections, offering, play};
use super::support::{backend, begin};
use crate::Delivery;

/// Delivers to a backend as the user `gate` with the password `secret`.
fn with_login(address: BackendAddress) -> (Delivery, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let password_file = directory.path().join("password");
    fs::write(&password_file, "secret\n").unwrap();
    let backend = Backend {
        login: Some(BackendLogin {
            username: "gate".into(),
            password_file,
        }),
        ..backend(address)
    };
    let delivery = Delivery::new(&backend, "gate.example").unwrap();
    (delivery, directory)
}

async fn hears(connections: Connections) -> String {
    let (address, playing) = play(connections).await;
    let (delivery, _directory) = with_login(BackendAddress::Smtp(address));
    let reply = begin(&delivery).offer("c@d").await;
    drop(delivery);
    playing.await.unwrap();
    reply
}

const PLAIN: &str = "C: AUTH PLAIN AGdhdGUAc2VjcmV0";

#[tokio::test]
async fn the_gateway_says_who_it_is_before_it_sends() {
    let script = [
        PLAIN,
        "S: 235 2.7.0 yes",
        "C: MAIL FROM:<a@b>",
        "C: RCPT TO:<c@d>",
        "S: 250 ok",
        "S: 250 2.1.5 fine",
        "end",
    ];
    let connections = vec![offering(&["S: 250-AUTH LOGIN PLAIN"], &script)];
    assert_eq!(hears(connections).await, "250 2.1.5 fine");
}

#[tokio::test]
async fn a_backend_that_does_not_let_the_gateway_in_is_tried_again_later() {
    const LATER: &str = "451 4.7.0 Mail store does not let the gateway in, try again later";
    let offer = &["S: 250-AUTH PLAIN"];
    let other = &["S: 250-AUTH GSSAPI"];
    for script in [
        offering(offer, &[PLAIN, "S: 535 5.7.8 who", "end"]),
        offering(offer, &[PLAIN, "S: 454 4.7.0 not now", "end"]),
        offering(other, &["end"]),
        offering(&[], &["end"]),
    ] {
        assert_eq!(hears(vec![script]).await, LATER);
    }
}

#[test]
fn a_password_that_can_not_be_had_is_found_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let password_file = directory.path().join("password");
    for (text, expected) in [
        (None, "cannot be read"),
        (Some("two\nlines\n"), "expected one line"),
        (Some(""), "expected one line"),
        (Some("a\0b"), "none of them NUL"),
    ] {
        if let Some(text) = text {
            fs::write(&password_file, text).unwrap();
        }
        let backend = Backend {
            login: Some(BackendLogin {
                username: "gate".into(),
                password_file: password_file.clone(),
            }),
            ..backend(BackendAddress::SmtpUnix("/x".into()))
        };
        let error = Delivery::new(&backend, "gate.example").unwrap_err();
        let shown = error.to_string();
        let start = format!(
            "backend store: password-file: {}: ",
            password_file.display()
        );
        assert!(shown.starts_with(&start), "{shown}");
        assert!(shown.contains(expected), "{shown}");
    }
}
