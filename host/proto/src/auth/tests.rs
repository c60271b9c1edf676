//! Exchanges from their beginning, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::*;
use crate::fault::Fault;

const TERMS: ExchangeTerms<'_> = ExchangeTerms {
    hostname: "mx.example.org",
    nonce: [7; 32],
    exporter: None,
    offers_binding: false,
};

fn begin(mechanism: Mechanism, initial: Option<&str>) -> Result<AuthProgress, Fault> {
    Exchange::begin(mechanism, initial, &TERMS)
}

fn challenged(mechanism: Mechanism) -> (Vec<u8>, Exchange) {
    match begin(mechanism, None) {
        Ok(AuthProgress::Challenge(challenge, exchange)) => (challenge, exchange),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_challenges() {
    for mechanism in Mechanism::ALL {
        let expected: &[u8] = match mechanism {
            Mechanism::CramMd5 => b"<07070707070707070707070707070707@mx.example.org>",
            Mechanism::Login => b"Username:",
            _ => b"",
        };
        assert_eq!(challenged(mechanism).0, expected, "{mechanism}");
    }
}

#[test]
fn garbage_and_cancellation() {
    for mechanism in Mechanism::ALL {
        for (line, fault) in [
            (&b"*"[..], Fault::AuthCancelled),
            (b"not base64!", Fault::AuthEncoding),
            (b"YQ", Fault::AuthEncoding),
            (b"\xff", Fault::AuthEncoding),
            (b"/w==", Fault::AuthEncoding),
            (b"AA==", Fault::AuthEncoding),
        ] {
            let (_, exchange) = challenged(mechanism);
            let result = exchange.respond(line).err();
            assert_eq!(result, Some(fault), "{mechanism} {}", line.escape_ascii());
        }
    }
}

#[test]
fn an_initial_response_of_nothing() {
    for mechanism in Mechanism::ALL {
        let is_taken = begin(mechanism, Some("=")).is_ok();
        assert_eq!(is_taken, mechanism == Mechanism::External, "{mechanism}");
    }
}

#[test]
fn a_server_that_speaks_first_takes_no_initial_response() {
    let response = STANDARD.encode("tim b913a602c7eda7a495b4e6e7334d3890");
    let (_, exchange) = challenged(Mechanism::CramMd5);
    assert!(matches!(
        exchange.respond(response.as_bytes()),
        Ok(AuthProgress::Complete(_))
    ));
    let result = begin(Mechanism::CramMd5, Some(&response));
    assert_eq!(result.err(), Some(Fault::AuthInitialResponse));
}

#[test]
fn names_of_mechanisms() {
    for mechanism in Mechanism::ALL {
        let lower = mechanism.name().to_lowercase();
        assert_eq!(Mechanism::parse(&lower), Some(mechanism));
    }
    assert_eq!(Mechanism::parse("OINK"), None);
}

#[test]
fn secrets_do_not_show() {
    let secret = || Zeroizing::new("hunter2".to_owned());
    let proofs = [
        Proof::Password(secret()),
        Proof::Token(secret()),
        Proof::Response {
            challenge: b"hunter2".to_vec(),
            digest: secret(),
        },
    ];
    for proof in proofs {
        let credentials = Credentials {
            mechanism: Mechanism::Plain,
            identity: "bob".into(),
            act_as: String::new(),
            proof,
        };
        let shown = format!("{credentials:?}");
        assert!(
            shown.contains("bob") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
