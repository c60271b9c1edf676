//! STARTTLS.

use super::*;

/// The STARTTLS step of a session that has received these octets.
fn starting(driver: &mut Driver, input: &[u8]) -> StartingTls {
    let offers = Offers {
        tls: Tls::Offered,
        ..Offers::default()
    };
    match driver.run(session_with(Settings::default(), offers, input), accept_all) {
        Step::StartTls(starting) => starting,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tls_begins_after_the_reply_and_nothing_else_does() {
    let mut driver = Driver::default();
    starting(&mut driver, b"EHLO c\r\nSTARTTLS\r\nNOOP\r\n");
    let said = driver.written();
    assert!(said.ends_with("220 2.0.0 Ready to start TLS\r\n"), "{said}");
}

#[test]
fn commands_behind_starttls_are_noted_and_gone() {
    let mut driver = Driver::default();
    let starting = starting(&mut driver, b"EHLO c\r\nSTARTTLS\r\nEHLO evil\r\n");
    let session = starting.encrypted(Channel::default());
    driver.written.clear();
    let Step::Read(mut reading) = driver.run(session, accept_all) else {
        panic!("the session does not wait for the client");
    };
    assert!(reading.buffer(0).is_empty());
    assert_eq!(driver.faults, [Fault::PlaintextBehindStartTls]);
    assert_eq!(reading.counters().errors, 1);
    assert_eq!(driver.written(), "");
}

#[test]
fn what_policy_has_set_holds_on() {
    let mut driver = Driver::default();
    let profile = Arc::make_mut(&mut driver.profile);
    profile.set_greeting("hello again");
    profile.add_ehlo_keyword("XFOO");
    let starting = starting(&mut driver, b"EHLO c\r\nSTARTTLS\r\n");
    let mut session = starting.encrypted(Channel::default());
    driver.written.clear();
    session.receive(b"EHLO c\r\n");
    let Step::Read(reading) = driver.run(session, accept_all) else {
        panic!("the session does not wait for the client");
    };
    let said = driver.written();
    assert!(
        said.contains("hello again") && said.contains("XFOO"),
        "{said}"
    );
    assert_eq!(reading.counters().commands, 3);
}

#[test]
fn authentication_is_forgotten_with_tls() {
    let offers = Offers {
        tls: Tls::Offered,
        identity: ClientIdentity::Authenticated,
        ..Offers::default()
    };
    let mut driver = Driver::default();
    let settings = Settings {
        auth: Auth::Required,
        ..Settings::default()
    };
    let input = b"EHLO c\r\nSTARTTLS\r\n";
    let Step::StartTls(starting) = driver.run(session_with(settings, offers, input), accept_all)
    else {
        panic!("TLS does not begin");
    };
    let mut session = starting.encrypted(Channel::default());
    session.receive(b"EHLO c\r\nMAIL FROM:<>\r\n");
    _ = driver.run(session, accept_all);
    assert_eq!(driver.faults, [Fault::AuthRequired]);
}

#[test]
fn a_transaction_is_forgotten_before_tls_begins() {
    let mut driver = Driver::default();
    starting(&mut driver, b"EHLO c\r\nMAIL FROM:<>\r\nSTARTTLS\r\n");
    assert!(
        driver.steps.ends_with(&["starttls", "reset", "write"]),
        "{:?}",
        driver.steps
    );
}

#[test]
fn secrets_do_not_show() {
    let offers = Offers {
        seed: [171; 32],
        questions: [OptionalQuestion::AuthKeys].into_iter().collect(),
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
        // Before and after client-first-message.
        format!("{scram}\r\n").as_bytes(),
        format!("{scram} cD10bHMtZXhwb3J0ZXIsLG49Ym9iLHI9eA==\r\n").as_bytes(),
    ] {
        let mut session = Session::new(Arc::clone(&settings), offers);
        session.receive(&[b"EHLO c\r\n", input].concat());
        let profile = Arc::default();
        loop {
            let step = session.step();
            assert!(!shows(&format!("{step:?}")), "{step:?}");
            session = match step {
                Step::Ask(_, asking) => asking.decide(Answer::Proceed(None), &profile),
                Step::Fault(faulted) => faulted.resume(),
                Step::Write(writing) => writing.written(),
                _ => break,
            };
        }
    }
}
