//! STARTTLS, as the driver sees it.

use super::*;
use crate::session::{Auth, Channel, Tls};

fn offering() -> Session {
    let offers = Offers {
        tls: Tls::Offered,
        ..Offers::default()
    };
    Session::new(Arc::new(Settings::default()), offers)
}

/// Carries out steps until there is nothing to say; gives what was said, and whether TLS is next.
fn run(session: &mut Session) -> (String, bool) {
    let mut said = Vec::new();
    loop {
        match session.step() {
            Step::Ask(_) => session.decide(Answer::Proceed(None)),
            Step::Write(octets) => said.extend_from_slice(octets),
            Step::Reset => {}
            Step::Read(_) => return (String::from_utf8(said).unwrap(), false),
            Step::StartTls => return (String::from_utf8(said).unwrap(), true),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn tls_begins_after_the_reply_and_nothing_else_does() {
    let mut session = offering();
    session.receive(b"EHLO c\r\nSTARTTLS\r\nNOOP\r\n");
    let (said, is_next) = run(&mut session);
    assert!(said.ends_with("220 2.0.0 Ready to start TLS\r\n"), "{said}");
    assert!(is_next);
    session.receive(b"NOOP\r\n");
    assert_eq!(run(&mut session), (String::new(), true));
}

#[test]
fn commands_behind_starttls_are_noted_and_gone() {
    let mut session = offering();
    session.receive(b"EHLO c\r\nSTARTTLS\r\nEHLO evil\r\n");
    run(&mut session);
    let mut session = session.encrypted(Channel::default());
    assert!(!session.has_input());
    assert_eq!(session.take_faults(), [Fault::PlaintextBehindStartTls]);
    assert_eq!(session.counters().errors, 1);
    assert_eq!(run(&mut session), (String::new(), false));
}

#[test]
fn what_policy_has_set_holds_on() {
    let mut session = offering();
    session.set_greeting("hello again");
    session.add_ehlo_keyword("XFOO");
    session.receive(b"EHLO c\r\nSTARTTLS\r\n");
    run(&mut session);
    let mut session = session.encrypted(Channel::default());
    session.receive(b"EHLO c\r\n");
    let (said, _) = run(&mut session);
    assert!(
        said.contains("hello again") && said.contains("XFOO"),
        "{said}"
    );
    assert_eq!(session.counters().commands, 3);
}

#[test]
fn a_transaction_is_forgotten_before_tls_begins() {
    let mut session = offering();
    session.receive(b"EHLO c\r\nMAIL FROM:<>\r\nSTARTTLS\r\n");
    let mut steps = Vec::new();
    loop {
        match session.step() {
            Step::Ask(_) => session.decide(Answer::Proceed(None)),
            Step::Reset => steps.push("reset"),
            Step::StartTls => break steps.push("tls"),
            Step::Write(_) => steps.push("write"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(steps, ["reset", "write", "tls"]);
}

#[test]
fn secrets_do_not_show() {
    let offers = Offers {
        seed: [171; 32],
        scram: true,
        tls: Tls::Active(Channel {
            exporter: Some([171; 32]),
            client_certificate: true,
        }),
        ..Offers::default()
    };
    let shows = |shown: &str| shown.contains("171");
    assert!(!shows(&format!("{offers:?}")), "{offers:?}");
    let settings = Settings {
        auth: Auth::Optional,
        ..Settings::default()
    };
    let settings = Arc::new(settings);
    let scram = "AUTH SCRAM-SHA-256-PLUS";
    for input in [
        &b"AUTH PLAIN \xab\xab"[..],
        b"AUTH PLAIN\r\n\xab\xab",
        // Before the client's first message, and behind it.
        format!("{scram}\r\n").as_bytes(),
        format!("{scram} cD10bHMtZXhwb3J0ZXIsLG49Ym9iLHI9eA==\r\n").as_bytes(),
    ] {
        let mut session = Session::new(Arc::clone(&settings), offers);
        session.receive(&[b"EHLO c\r\n", input].concat());
        loop {
            match session.step() {
                Step::Ask(_) => {
                    assert!(!shows(&format!("{session:?}")), "{session:?}");
                    session.decide(Answer::Proceed(None));
                }
                Step::Write(_) => {}
                Step::Read(_) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(!shows(&format!("{session:?}")), "{session:?}");
    }
}
