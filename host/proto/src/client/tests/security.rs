//! STARTTLS and AUTH.

use std::sync::Arc;

use super::*;
use crate::parameters::Parameter;

fn credentials(username: &str, password: &str) -> Arc<ClientCredentials> {
    Arc::new(ClientCredentials::new(username, password).unwrap())
}

fn authentication(mechanism: ClientMechanism) -> Request {
    authentication_of(mechanism, "user", "pass")
}

fn authentication_of(mechanism: ClientMechanism, username: &str, password: &str) -> Request {
    Request::Auth(Authentication {
        mechanism,
        credentials: credentials(username, password),
        nonce: Nonce([0; 18]),
    })
}

/// A client that has sent STARTTLS and received this reply.
fn answered(said: &[u8]) -> Client {
    let mut client = greeted(Protocol::Smtp, &["STARTTLS", "PIPELINING"]);
    client.request(Request::StartTls);
    assert_eq!(client.step(), Ok(ClientStep::Write(b"STARTTLS\r\n")));
    client.receive(said);
    client
}

#[test]
fn after_a_handshake_everything_begins_anew() {
    let mut client = answered(b"220 go\r\n");
    assert!(matches!(
        client.step(),
        Ok(ClientStep::Answered(Stage::StartTls, Answer::Accepted(_)))
    ));
    // This client sends nothing before the handshake.
    client.request(Request::Noop);
    for _ in 0..2 {
        assert_eq!(client.step(), Ok(ClientStep::StartTls));
    }
    let mut client = client.encrypted();
    assert!(!client.capabilities().offers("PIPELINING"));
    assert_eq!(
        client.step(),
        Ok(ClientStep::Write(b"EHLO gate.example\r\n"))
    );
    assert_eq!(client.step(), Ok(ClientStep::Read));
    let reported = play(&mut client, &["S: 250-hi", "S: 250 AUTH PLAIN"]);
    assert_eq!(reported, ["EHLO 250"]);
    assert!(!client.capabilities().offers("STARTTLS"));
    assert!(client.capabilities().offers("AUTH"));
}

/// An attacker cannot inject replies before the handshake.
#[test]
fn octets_behind_the_yes_to_starttls_are_never_a_reply() {
    for injected in ["250 ok\r\n", "250-hi\r\n250 AUTH PLAIN\r\n", "2", "\r\n"] {
        // Together with the reply to STARTTLS, or between it and the handshake.
        let mut client = answered(format!("220 go\r\n{injected}").as_bytes());
        assert_eq!(client.step(), Err(ClientFault::Unsolicited), "{injected}");
        let mut client = answered(b"220 go\r\n");
        run(&mut client, &mut Vec::new(), &mut String::new());
        client.receive(injected.as_bytes());
        assert_eq!(client.step(), Ok(ClientStep::StartTls));
        let mut client = client.encrypted();
        let mut reported = Vec::new();
        run(&mut client, &mut reported, &mut String::new());
        assert_eq!(reported, [""; 0], "{injected}");
        assert_eq!(*client.capabilities(), Capabilities::default());
    }
}

#[test]
fn an_lmtp_server_is_greeted_with_lhlo_again() {
    let mut client = greeted(Protocol::Lmtp, &["STARTTLS"]);
    client.request(Request::StartTls);
    let reported = play(&mut client, &["C: STARTTLS", "S: 220 go"]);
    assert_eq!(reported, ["STARTTLS 220"]);
    assert_eq!(
        client.encrypted().step(),
        Ok(ClientStep::Write(b"LHLO gate.example\r\n"))
    );
}

#[test]
fn a_no_to_starttls_changes_nothing() {
    let mut client = answered(b"454 4.7.0 not now\r\n");
    let mut reported = Vec::new();
    run(&mut client, &mut reported, &mut String::new());
    assert_eq!(reported, ["STARTTLS refused 454"]);
    client.request(Request::Noop);
    assert_eq!(client.step(), Ok(ClientStep::Write(b"NOOP\r\n")));
}

#[test]
fn exchanges_of_auth() {
    use ClientMechanism::{Login, Plain};
    let table: [(ClientMechanism, &[&str], &[&str]); 8] = [
        (
            Plain,
            &["C: AUTH PLAIN AHVzZXIAcGFzcw==", "S: 235 2.7.0 yes"],
            &["AUTH 235"],
        ),
        (
            Plain,
            &["C: AUTH PLAIN AHVzZXIAcGFzcw==", "S: 535 5.7.8 no"],
            &["AUTH refused 535"],
        ),
        (
            Plain,
            &["C: AUTH PLAIN AHVzZXIAcGFzcw==", "S: 334 more"],
            &["Sasl(Challenge)"],
        ),
        (
            Login,
            &[
                "C: AUTH LOGIN",
                "S: 334 VXNlcm5hbWU6",
                "C: dXNlcg==",
                "S: 334 UGFzc3dvcmQ6",
                "C: cGFzcw==",
                "S: 235 yes",
            ],
            &["AUTH 235"],
        ),
        (
            Login,
            &["C: AUTH LOGIN", "S: 334 ", "C: dXNlcg==", "S: 535 no"],
            &["AUTH refused 535"],
        ),
        (
            Login,
            &["C: AUTH LOGIN", "S: 334 ", "C: dXNlcg==", "S: 235 yes"],
            &["Sasl(Premature)"],
        ),
        (
            Login,
            &["C: AUTH LOGIN", "S: 334 not base64"],
            &["Sasl(Challenge)"],
        ),
        (
            Login,
            &["C: AUTH LOGIN", "S: 354 go"],
            &["Code { stage: Auth, code: 354 }"],
        ),
    ];
    for (mechanism, lines, expected) in table {
        let mut client = greeted(Protocol::Smtp, &["AUTH PLAIN LOGIN"]);
        client.request(authentication(mechanism));
        assert_eq!(play(&mut client, lines), expected, "{lines:?}");
    }
}

#[test]
fn a_response_that_is_too_long_for_a_command_follows_it() {
    let long = "x".repeat(255);
    let mut client = greeted(Protocol::Smtp, &["AUTH PLAIN"]);
    client.request(authentication_of(ClientMechanism::Plain, &long, &long));
    let response = STANDARD.encode(format!("\0{long}\0{long}"));
    let response = format!("C: {response}");
    let lines = ["C: AUTH PLAIN", "S: 334 ", &response, "S: 235 yes"];
    assert_eq!(play(&mut client, &lines), ["AUTH 235"]);
}

/// The tests of `scram.rs` check the messages.
#[test]
fn a_server_that_does_not_know_the_password_is_not_believed() {
    let nonce = "A".repeat(24);
    let first = STANDARD.encode(format!("n,,n=user,r={nonce}"));
    let first = format!("C: AUTH SCRAM-SHA-256 {first}");
    let server_first = STANDARD.encode(format!("r={nonce}more,s=c2FsdA==,i=4096"));
    let server_first = format!("334 {server_first}\r\n");
    for (said, fault) in [
        ("235 2.7.0 yes", SaslFault::Premature),
        ("334 dj1BQUFB", SaslFault::Signature),
    ] {
        let mut client = greeted(Protocol::Smtp, &["AUTH SCRAM-SHA-256"]);
        client.request(authentication(ClientMechanism::ScramSha256));
        assert_eq!(play(&mut client, &[&first]), [""; 0]);
        client.receive(server_first.as_bytes());
        run(&mut client, &mut Vec::new(), &mut String::new());
        client.receive(format!("{said}\r\n").as_bytes());
        assert_eq!(client.step(), Err(fault.into()), "{said}");
    }
}

#[test]
fn the_best_mechanism_that_is_offered() {
    use ClientMechanism::{Login, Plain, ScramSha256};
    for (offered, password, expected) in [
        ("AUTH PLAIN LOGIN SCRAM-SHA-256", "pass", Some(ScramSha256)),
        ("AUTH LOGIN PLAIN SCRAM-SHA-256", "pässe", Some(Plain)),
        ("AUTH login", "pass", Some(Login)),
        ("AUTH SCRAM-SHA-1 XOAUTH2", "pass", None),
        ("AUTH", "pass", None),
        ("AUTHX PLAIN", "pass", None),
    ] {
        let client = greeted(Protocol::Smtp, &[offered]);
        let found = ClientMechanism::choose(client.capabilities(), &credentials("user", password));
        assert_eq!(found, expected, "{offered}");
    }
}

#[test]
fn credentials_are_not_shown_and_hold_no_nul() {
    let shown = format!("{:?}", authentication(ClientMechanism::Plain));
    assert!(!shown.contains("pass"), "{shown}");
    for (username, password) in [("", "x"), ("x", ""), ("a\0b", "x"), ("x", "a\0b")] {
        assert!(ClientCredentials::new(username, password).is_err());
    }
    assert!(ClientCredentials::new("x", &"x".repeat(256)).is_err());
    let mut client = greeted(Protocol::Smtp, &["AUTH PLAIN"]);
    client.request(authentication(ClientMechanism::Plain));
    let shown = format!("{client:?}");
    assert!(
        !shown.contains("AHVzZXIAcGFzcw") && !shown.contains("pass"),
        "{shown}"
    );
}

/// RFC 4954 §5.
#[test]
fn a_server_that_knows_the_client_is_told_of_nobody_else() {
    let parameters = |value: Option<&str>| MailParameters {
        all: value
            .map(|value| Parameter {
                name: "AUTH".into(),
                value: value.into(),
            })
            .into_iter()
            .collect(),
        ..MailParameters::default()
    };
    for (given, expected) in [
        (Some("alice"), "C: MAIL FROM:<a@b> AUTH=<>"),
        (Some("<>"), "C: MAIL FROM:<a@b> AUTH=<>"),
        (None, "C: MAIL FROM:<a@b>"),
    ] {
        let mut client = greeted(Protocol::Smtp, &["AUTH PLAIN"]);
        client.request(authentication(ClientMechanism::Plain));
        client.request(mail(parameters(given)));
        let lines = ["C: AUTH PLAIN AHVzZXIAcGFzcw==", "S: 235 yes", expected];
        assert_eq!(play(&mut client, &lines), ["AUTH 235"]);
    }
}
