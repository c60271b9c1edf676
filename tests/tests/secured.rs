//! Backends that are reached over TLS, and want to know who sends.

use std::path::Path;
use std::sync::Arc;

use postgate_tests::backend::{Act, Backend, Step, Tls};
use postgate_tests::certificate::{Authority, Validity};
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup, program};
use postgate_tests::mail::{awkward, digest, split};
use postgate_tests::peer::{Dovecot, SmtpSink, run};
use rustls::HandshakeKind;

const NAME: &str = "store.example";

/// A gateway that speaks TLS to a backend which must be `store.example`, and is trusted where this
/// authority says so. More settings of the backend can follow, as TOML.
fn secured(address: &str, authority: &Authority, more: &str) -> Setup {
    let setup = Setup::new();
    let ca = setup.directory().join("ca.pem");
    std::fs::write(&ca, authority.pem()).expect("the authority");
    with_backend(
        setup,
        &format!("address = \"{address}\"\ntls-ca = {ca:?}\n{more}"),
    )
}

fn with_backend(setup: Setup, settings: &str) -> Setup {
    setup.set(&format!(
        "[[backend]]\nname = \"store\"\ntls-name = \"{NAME}\"\n{settings}"
    ))
}

/// Who the gateway is to the backend: the user `gate`, with this password.
fn login(directory: &Path, password: &str) -> String {
    let file = directory.join("password");
    std::fs::write(&file, format!("{password}\n")).expect("it is there");
    format!("username = \"gate\"\npassword-file = {file:?}")
}

fn send(gateway: &Gateway, message: &[u8]) -> String {
    let mut client = Client::greeted(gateway.address());
    client.says("MAIL FROM:<alice@client.example>", "250");
    let reply = client.ask("RCPT TO:<bob@example.org>");
    match reply.starts_with("250") {
        true => client.message(message),
        false => reply,
    }
}

#[test]
fn dovecot_takes_mail_over_lmtp_with_starttls() {
    let authority = Authority::new("of the store");
    let dovecot = Dovecot::with_tls(&authority.issue(&[NAME]));
    let gateway = secured(&dovecot.lmtp(), &authority, "tls = \"starttls\"")
        .set("[log]\nlevel = \"info,postgate::delivery=debug\"")
        .start();
    let message = awkward(50_000);
    let reply = send(&gateway, &message);
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let line = gateway.log().wait_for_message("encrypted");
    assert_eq!(line["version"], "Some(TLSv1_3)", "{line}");
    let arrived = dovecot.messages("bob@example.org").remove(0);
    let lines: Vec<_> = arrived.split(|octet| *octet == b'\n').collect();
    let arrived = lines.join(&b"\r\n"[..]);
    assert_eq!(digest(split(&arrived).1), digest(split(&message).1));
}

/// Whoever cannot be trusted gets nothing, and clients are asked to come back.
#[test]
fn dovecot_with_a_wrong_certificate_gets_no_mail() {
    let authority = Authority::new("of the store");
    let stranger = Authority::new("of nobody");
    for (own, reason) in [
        (stranger.issue(&[NAME]), "UnknownIssuer"),
        (authority.issue(&["other.example"]), "not valid for name"),
        (authority.issue_for(&[NAME], Validity::Expired), "expired"),
        (
            authority.issue_for(&[NAME], Validity::Tomorrow),
            "not valid yet",
        ),
    ] {
        let dovecot = Dovecot::with_tls(&own);
        let gateway = secured(&dovecot.lmtp(), &authority, "tls = \"starttls\"").start();
        let reply = send(&gateway, b"Subject: x\r\n\r\n");
        assert!(reply.starts_with("451 4.7.5"), "{reason}: {reply}");
        let line = gateway.log().wait_for_message("backend failed");
        let error = line["error"].as_str().unwrap();
        assert!(
            error.starts_with("the certificate of the backend is not good"),
            "{error}"
        );
        assert!(error.contains(reason), "{reason}: {error}");
        assert_eq!(dovecot.messages("bob@example.org"), [[0; 0]; 0]);
    }
}

#[test]
fn dovecot_lets_the_gateway_in_by_every_mechanism() {
    let authority = Authority::new("of the store");
    let own = authority.issue(&[NAME]);
    for mechanism in ["plain", "login", "scram-sha-256"] {
        let sink = SmtpSink::start();
        let dovecot = Dovecot::submission(&own, mechanism, sink.address());
        let setup = Setup::new();
        for (password, expected) in [("secret", "250"), ("wrong", "451 4.7.0")] {
            let login = login(setup.directory(), password);
            let address = format!("smtp://{}", dovecot.address());
            let more = format!("tls = \"starttls\"\n{login}");
            let gateway = secured(&address, &authority, &more)
                .set("[log]\nlevel = \"trace\"")
                .start();
            let reply = send(&gateway, b"Subject: x\r\n\r\nhello\r\n");
            assert!(
                reply.starts_with(expected),
                "{mechanism}: {reply}\n{}",
                dovecot.log()
            );
            let log = gateway.log().text();
            // As it is, and as it goes over the wire.
            for secret in ["secret", "c2VjcmV0", "AGdhdGUAc2VjcmV0"] {
                assert!(!log.contains(secret), "{secret} is in the log");
            }
        }
        assert_eq!(sink.messages().len(), 1, "{mechanism}");
    }
}

/// A connection costs a whole handshake once.
#[test]
fn sessions_are_resumed() {
    let authority = Authority::new("of the store");
    let config = authority.issue(&[NAME]).server();
    for is_implicit in [false, true] {
        let config = Arc::clone(&config);
        let backend = Backend::secured(
            Tls {
                config,
                is_implicit,
            },
            |_| Act::Work,
        );
        let start = if is_implicit { "implicit" } else { "starttls" };
        let more = format!("tls = \"{start}\"\nmax-idle = 0");
        let gateway = secured(&backend.smtp(), &authority, &more).start();
        for _ in 0..3 {
            let reply = send(&gateway, b"Subject: x\r\n\r\n");
            assert!(reply.starts_with("250"), "{reply}");
        }
        let handshakes = backend.handshakes();
        assert_eq!(handshakes.len(), 3);
        assert_ne!(handshakes[0], HandshakeKind::Resumed);
        assert_eq!(handshakes[1..], [HandshakeKind::Resumed; 2]);
        assert_eq!(backend.taken().len(), 3);
    }
}

#[test]
fn an_encrypted_connection_serves_one_client_after_the_other() {
    let authority = Authority::new("of the store");
    let tls = Tls {
        config: authority.issue(&[NAME]).server(),
        is_implicit: false,
    };
    let backend = Backend::secured(tls, |_| Act::Work);
    let gateway = secured(&backend.smtp(), &authority, "tls = \"starttls\"").start();
    let message = awkward(300_000);
    for round in 1..=3 {
        assert!(send(&gateway, &message).starts_with("250"));
        let arrived = &backend.taken()[round - 1].content;
        assert_eq!(digest(split(arrived).1), digest(split(&message).1));
    }
    assert_eq!(backend.transcripts().len(), 1, "one connection is enough");
    // Nothing is lost where the backend has closed it meanwhile.
    backend.close_connections();
    assert!(send(&gateway, &message).starts_with("250"));
    assert_eq!(backend.transcripts().len(), 2);
    // No more goes over the line in the clear than what must.
    for transcript in backend.transcripts() {
        assert_eq!(
            transcript[..3],
            ["EHLO mx.example.org", "STARTTLS", "EHLO mx.example.org"]
        );
    }
}

/// Somebody in between may take the offer away, or talk before the handshake.
#[test]
fn nothing_is_sent_in_the_clear() {
    let authority = Authority::new("of the store");
    let config = authority.issue(&[NAME]).server();
    let refused = |step: &Step<'_>| match step {
        Step::Other("STARTTLS") => Act::reply("454 4.7.0 not now"),
        _ => Act::Work,
    };
    let stripped = |step: &Step<'_>| match step {
        Step::Helo(_) => Act::reply("250 backend.example"),
        _ => Act::Work,
    };
    let injected = |step: &Step<'_>| match step {
        Step::Other("STARTTLS") => Act::Say("220 go\r\n250-hi\r\n250 AUTH PLAIN\r\n".to_owned()),
        _ => Act::Work,
    };
    let table: [(fn(&Step<'_>) -> Act, &str); 3] = [
        (refused, "451 4.7.4"),
        (stripped, "451 4.7.4"),
        (injected, "451 4.3.0"),
    ];
    for (act, expected) in table {
        let config = Arc::clone(&config);
        let is_implicit = false;
        let backend = Backend::secured(
            Tls {
                config,
                is_implicit,
            },
            move |event| act(&event.step),
        );
        let setup = Setup::new();
        let more = format!("tls = \"starttls\"\n{}", login(setup.directory(), "secret"));
        let gateway = secured(&backend.smtp(), &authority, &more).start();
        let reply = send(&gateway, b"Subject: x\r\n\r\n");
        assert!(reply.starts_with(expected), "{expected}: {reply}");
        for transcript in backend.transcripts() {
            for verb in ["AUTH", "MAIL"] {
                assert!(
                    !transcript.iter().any(|line| line.starts_with(verb)),
                    "{verb}"
                );
            }
        }
    }
}

#[test]
fn mistakes_are_found_before_anything_is_bound() {
    let authority = Authority::new("of the store");
    let (own, other) = (authority.issue(&[NAME]), authority.issue(&[NAME]));
    let setup = Setup::new();
    let directory = setup.directory().to_owned();
    let (chain, key) = own.write(&directory, "own");
    let (_, other_key) = other.write(&directory, "other");
    let garbage = directory.join("garbage");
    std::fs::write(&garbage, "-----BEGIN CERTIFICATE-----\n!\n").unwrap();
    let empty = directory.join("empty");
    std::fs::write(&empty, "").unwrap();
    let missing = directory.join("missing");
    for (settings, file, sign) in [
        (format!("tls-ca = {missing:?}"), &missing, "tls-ca"),
        (format!("tls-ca = {garbage:?}"), &garbage, "tls-ca"),
        (format!("tls-ca = {empty:?}"), &empty, "tls-ca"),
        (format!("tls-ca = {key:?}"), &key, "expected a certificate"),
        (
            format!("tls-crl = {chain:?}"),
            &chain,
            "expected a revocation list",
        ),
        (
            format!("tls-certificate = {chain:?}"),
            &chain,
            "expected a private key",
        ),
        (
            format!("tls-certificate = {chain:?}\ntls-key = {other_key:?}"),
            &other_key,
            "does not belong",
        ),
        (
            format!("username = \"x\"\npassword-file = {missing:?}"),
            &missing,
            "password-file",
        ),
    ] {
        let settings = format!("address = \"smtp://127.0.0.1:1\"\ntls = \"starttls\"\n{settings}");
        let setup = with_backend(Setup::new(), &settings);
        let config = setup.write();
        for command in ["check", "serve"] {
            let output = run(program().args([command, "--config"]).arg(&config));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(64), "{settings}: {said}");
            for sign in ["backend store", &*file.to_string_lossy(), sign] {
                assert!(said.contains(sign), "no {sign} in {said}");
            }
        }
    }
}

/// From a client over TLS to a backend over TLS, or not at all (RFC 8689).
#[test]
fn a_message_that_requires_tls_stays_under_it() {
    let authority = Authority::new("of both sides");
    let own = authority.issue(&[NAME, "mx.example.org"]);
    for (keyword, command, expected) in [
        (
            "REQUIRETLS",
            "MAIL FROM:<alice@client.example> REQUIRETLS",
            "250",
        ),
        (
            "SIZE 0",
            "MAIL FROM:<alice@client.example> REQUIRETLS",
            "550 5.7.30",
        ),
        ("SIZE 0", "MAIL FROM:<alice@client.example>", "250"),
    ] {
        let tls = Tls {
            config: own.server(),
            is_implicit: true,
        };
        let backend = Backend::secured(tls, move |event| match event.step {
            Step::Helo(_) => Act::Say(format!("250-backend.example\r\n250 {keyword}\r\n")),
            _ => Act::Work,
        });
        let setup = secured(&backend.smtp(), &authority, "tls = \"implicit\"");
        let (chain, key) = own.write(setup.directory(), "own");
        let certificate = format!("certificate = [{{ chain = {chain:?}, key = {key:?} }}]");
        let gateway = setup
            .listener("tls = \"optional\"")
            .set(&certificate)
            .start();
        let mut client =
            Client::start_tls(gateway.address(), &authority.client(), "mx.example.org");
        assert!(client.ask("EHLO client.example").contains("REQUIRETLS"));
        client.says(command, "250");
        client.says("RCPT TO:<bob@example.org>", expected);
        if expected == "250" {
            assert!(client.message(b"Subject: x\r\n\r\n").starts_with("250"));
            let mail = backend.taken().remove(0).mail;
            assert_eq!(
                mail.ends_with(" REQUIRETLS"),
                command.ends_with(" REQUIRETLS"),
                "{mail}"
            );
        }
    }
}

#[test]
fn a_new_password_is_taken_while_mail_flows() {
    let backend = Backend::scripted(|event| match event.step {
        Step::Helo(_) => Act::reply("250-backend.example\r\n250 AUTH PLAIN"),
        // Of `gate` and `secret`.
        Step::Other("AUTH PLAIN AGdhdGUAc2VjcmV0") => Act::reply("235 2.7.0 yes"),
        Step::Other(line) if line.starts_with("AUTH") => Act::reply("535 5.7.8 no"),
        _ => Act::Work,
    });
    let setup = Setup::new();
    let directory = setup.directory().to_owned();
    let login = login(&directory, "old");
    let store = format!(
        "name = \"store\"\naddress = \"{}\"\n{login}",
        backend.smtp()
    );
    let gateway = setup.set(&format!("[[backend]]\n{store}")).start();
    let reply = send(&gateway, b"Subject: x\r\n\r\n");
    assert!(reply.starts_with("451 4.7.0"), "{reply}");
    std::fs::write(directory.join("password"), "secret\n").unwrap();
    gateway.hang_up();
    gateway
        .log()
        .wait_for_message("files of the backend reloaded");
    let reply = send(&gateway, b"Subject: x\r\n\r\n");
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(backend.taken().len(), 1);
}
