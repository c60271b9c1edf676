//! Certificates that are replaced while mail flows.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use postgate_tests::Over;
use postgate_tests::certificate::{Authority, Issued, Validity};
use postgate_tests::client::Client;
use postgate_tests::gateway::{Gateway, Setup};
use postgate_tests::peer::{converse, program, run, s_client_starttls};
use rustls::ClientConfig;
use rustls::client::Resumption;
use serde_json::Value;

const NAME: &str = "mx.example.org";

/// A gateway that looks at its files when it is told to, and only then.
fn start(authority: &Authority, more: &str) -> Gateway {
    let setup = Setup::new().certified_by(authority);
    setup.listener("tls = \"optional\"").set(more).start()
}

/// A client that resumes no session, whose certificate would be that of before.
fn without_memory(authority: &Authority) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&authority.client());
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

fn replace(gateway: &Gateway, issued: &Issued) {
    // A certificate that is written in place is half there for a moment, and nobody notices.
    for (name, content) in [("mx.pem", &issued.certificate), ("mx.key", &issued.key)] {
        let new = gateway.directory().join("new");
        fs::write(&new, content).expect("a new file");
        fs::rename(new, gateway.directory().join(name)).expect("the old file");
    }
}

/// The fingerprint of the certificate that a new session is shown.
fn shown(gateway: &Gateway, config: &Arc<ClientConfig>) -> String {
    let client = Client::start_tls(gateway.address(), config, NAME);
    fingerprint(&client)
}

fn fingerprint(client: &Client) -> String {
    use sha2::Digest as _;
    let certificates = client.tls().peer_certificates().expect("a certificate");
    let digest = sha2::Sha256::digest(&certificates[0]);
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn replaced_by(gateway: &Gateway, issued: &Issued) -> Value {
    let new = issued.fingerprint();
    gateway.log().wait_for("the new certificate", |line| {
        line["message"] == "certificate replaced" && line["new"] == new.as_str()
    })
}

#[test]
fn new_files_are_noticed_and_at_sighup_too() {
    let authority = Authority::new("tests");
    let config = without_memory(&authority);
    for (settings, is_told) in [
        ("tls = { rescan = \"0s\" }", true),
        ("tls = { rescan = \"0s\" }", false),
        ("tls = { rescan = \"100ms\" }", false),
    ] {
        let gateway = start(&authority, settings);
        let old = shown(&gateway, &config);
        let mut open = Client::start_tls(gateway.address(), &config, NAME);
        let issued = authority.issue(&[NAME]);
        replace(&gateway, &issued);
        if is_told {
            gateway.hang_up();
        }
        let line = replaced_by(&gateway, &issued);
        assert_eq!(line["old"], old.as_str());
        assert_eq!(shown(&gateway, &config), issued.fingerprint());
        // Who was there stays.
        open.says("NOOP", "250");
        assert_eq!(fingerprint(&open), old);
    }
}

#[test]
fn what_is_broken_leaves_the_old_in_its_place() {
    let authority = Authority::new("tests");
    let config = without_memory(&authority);
    let gateway = start(&authority, "tls = { rescan = \"0s\" }");
    let old = shown(&gateway, &config);
    let issued = authority.issue(&[NAME]);
    let other = authority.issue(&[NAME]);
    for (certificate, key, told) in [
        (
            &issued.certificate,
            &other.key,
            "the key does not belong to the certificate",
        ),
        (
            &"hello".to_owned(),
            &other.key,
            "expected a certificate in PEM",
        ),
        (&issued.certificate, &String::new(), "the file is empty"),
        (
            &issued.certificate.replacen("\nMII", "\nM!I", 1),
            &issued.key,
            "mx.pem: line 2: this is no base64",
        ),
        (
            &format!("{}{}", issued.certificate, &authority.pem()[..200]),
            &issued.key,
            "`-----BEGIN CERTIFICATE-----` without `-----END CERTIFICATE-----`; the file is cut",
        ),
        (
            &format!("{}{}", issued.certificate, Authority::new("other").pem()),
            &issued.key,
            "did not issue that in line 1",
        ),
    ] {
        let (certificate, key) = (certificate.clone(), key.clone());
        replace(&gateway, &Issued { certificate, key });
        gateway.hang_up();
        gateway.log().wait_for(told, |line| {
            line["level"] == "ERROR"
                && line["error"]
                    .as_str()
                    .is_some_and(|error| error.contains(told))
        });
        assert_eq!(shown(&gateway, &config), old);
    }
    let expired = authority.issue_for(&[NAME], Validity::Expired);
    replace(&gateway, &expired);
    gateway.hang_up();
    let told = "the certificate expired on";
    gateway.log().wait_for(told, |line| {
        line["error"]
            .as_str()
            .is_some_and(|error| error.contains(told))
    });
    assert_eq!(shown(&gateway, &config), old);
    replace(&gateway, &issued);
    replaced_by(&gateway, &issued);
    assert_eq!(shown(&gateway, &config), issued.fingerprint());
}

/// What editors and `cat` make of files does no harm: the whole chain is shown.
#[test]
fn files_that_look_unusual_are_read_as_a_whole() {
    let root = Authority::new("root");
    let below = root.intermediate("below");
    let setup = Setup::new().listener("tls = \"optional\"");
    let setup = setup.certified_by(&root).set("tls = { rescan = \"0s\" }");
    let gateway = setup.start();
    let config = without_memory(&root);
    let odd: [fn(&str, &str) -> String; 6] = [
        |own, above| format!("{own}{above}"),
        |own, above| format!("{}{above}", own.trim_end()),
        |own, above| {
            format!("\u{feff}{own}\u{feff}{above}")
                .trim_end()
                .to_owned()
        },
        |own, above| {
            format!("{own}{above}")
                .replace("\r\n", "\n")
                .replace('\n', "\r")
        },
        |own, above| format!("  {}", format!("{own}{above}").replace('\n', "\t\n  ")),
        |own, above| {
            format!("Bag Attributes\n  x: y\nsubject=CN = mx\n{own}\nissuer: caf\u{e9}\n{above}")
        },
    ];
    for written in odd {
        let mut issued = below.issue(&[NAME]);
        let expected = issued.fingerprint();
        issued.certificate = written(&issued.certificate, &below.pem());
        replace(&gateway, &issued);
        gateway.hang_up();
        gateway.log().wait_for("the new certificate", |line| {
            line["message"] == "certificate replaced" && line["new"] == expected.as_str()
        });
        // The client knows the root only: without the authority in between it would fail.
        let client = Client::start_tls(gateway.address(), &config, NAME);
        assert_eq!(fingerprint(&client), expected);
        assert_eq!(client.tls().peer_certificates().map(<[_]>::len), Some(2));
    }
}

/// Authorities that are lost would let clients fail, or be taken for strangers.
#[test]
fn authorities_for_clients_stay_until_all_can_be_read() {
    let authority = Authority::new("tests");
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let setup = Setup::new().certified_by(&authority).listener(
        "tls = \"optional\"\nclient-certificates = \"required\"\nclient-ca = \"clients.pem\"",
    );
    let file = setup.directory().join("clients.pem");
    fs::write(&file, first.pem()).expect("the authorities");
    let gateway = setup.set("tls = { rescan = \"0s\" }").start();
    let is_let_in = |of: &Authority| {
        let issued = of.issue_to_client("alice@client.example");
        let (chain, key) = issued.write(gateway.directory(), "alice");
        let mut command = s_client_starttls(gateway.address());
        command.arg("-cert").arg(chain).arg("-key").arg(key);
        let (_, said) = converse(&mut command, "EHLO client.example\nQUIT\n");
        said.contains("221 2.0.0")
    };
    assert!(is_let_in(&first) && !is_let_in(&second));
    let broken = first.pem() + &second.pem().replace("-----END CERTIFICATE-----", "");
    fs::write(&file, &broken).expect("the authorities");
    gateway.hang_up();
    let told = "clients.pem: line ";
    gateway.log().wait_for(told, |line| {
        let error = line["error"].as_str();
        line["level"] == "ERROR" && error.is_some_and(|error| error.contains(told))
    });
    assert!(is_let_in(&first) && !is_let_in(&second));
    fs::write(&file, first.pem().trim_end().to_owned() + &second.pem()).expect("the authorities");
    gateway.hang_up();
    gateway.log().wait_for_message("certificates reloaded");
    assert!(is_let_in(&first) && is_let_in(&second));
}

/// Whoever issued a certificate may have a clock that is ahead of the gateway's.
#[test]
fn a_certificate_that_comes_too_early_is_taken_in_time() {
    let authority = Authority::new("tests");
    let gateway = start(&authority, "tls = { rescan = \"100ms\" }");
    let issued = authority.issue_for(&[NAME], Validity::Soon(3));
    replace(&gateway, &issued);
    replaced_by(&gateway, &issued);
}

/// Twenty clients at a time, each with a new session for each message.
#[test]
fn no_session_fails_while_certificates_change() {
    let authority = Authority::new("tests");
    let config = without_memory(&authority);
    let gateway = start(&authority, "tls = { rescan = \"0s\" }");
    let address = gateway.address();
    let is_over = AtomicBool::new(false);
    let sent = AtomicUsize::new(0);
    let seen = Mutex::new(std::collections::BTreeSet::new());
    let mut expected = vec![shown(&gateway, &config)];
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let mut client = Client::start_tls(address, &config, NAME);
                    client.envelope("alice@client.example", &["bob@example.org"]);
                    assert!(
                        client
                            .message(b"Subject: x\r\n\r\nx\r\n")
                            .starts_with("250")
                    );
                    client.says("QUIT", "221");
                    sent.fetch_add(1, Ordering::Relaxed);
                    seen.lock().unwrap().insert(fingerprint(&client));
                }
            });
        }
        let _over = Over(&is_over);
        for _ in 0..5 {
            let issued = authority.issue(&[NAME]);
            replace(&gateway, &issued);
            gateway.hang_up();
            replaced_by(&gateway, &issued);
            expected.push(shown(&gateway, &config));
            assert_eq!(expected.last(), Some(&issued.fingerprint()));
        }
    });
    assert!(sent.load(Ordering::Relaxed) >= 20);
    let seen = seen.into_inner().unwrap();
    assert!(
        seen.iter().all(|shown| expected.contains(shown)),
        "{seen:?}"
    );
    let failed = |line: &Value| line["message"] == "TLS handshake failed";
    assert!(gateway.log().find(failed).is_empty());
}

/// A session of before is resumed after it.
#[test]
fn sessions_are_resumed_over_a_renewal() {
    let authority = Authority::new("tests");
    let config = authority.client();
    let gateway = start(&authority, "tls = { rescan = \"0s\" }");
    let mut first = Client::start_tls(gateway.address(), &config, NAME);
    first.says("QUIT", "221");
    let issued = authority.issue(&[NAME]);
    replace(&gateway, &issued);
    gateway.hang_up();
    replaced_by(&gateway, &issued);
    let second = Client::start_tls(gateway.address(), &config, NAME);
    assert_eq!(
        second.tls().handshake_kind(),
        Some(rustls::HandshakeKind::Resumed)
    );
}

/// Nobody ever writes into this pipe. Whoever waited for that would never again take a certificate, a
/// question or a signal.
#[test]
fn a_pipe_in_place_of_a_file_holds_up_nobody() {
    let authority = Authority::new("tests");
    let config = without_memory(&authority);
    let mut gateway = start(&authority, "tls = { rescan = \"0s\" }");
    let old = shown(&gateway, &config);
    let file = gateway.directory().join("mx.pem");
    fs::remove_file(&file).expect("the certificate");
    let made = run(program("mkfifo").arg(&file));
    assert!(made.status.success(), "{made:?}");
    gateway.hang_up();
    gateway.log().wait_for("the pipe", |line| {
        line.to_string()
            .contains("mx.pem: cannot be read: this is no regular file")
    });
    assert_eq!(shown(&gateway, &config), old);
    fs::remove_file(&file).expect("the pipe");
    let issued = authority.issue(&[NAME]);
    replace(&gateway, &issued);
    gateway.hang_up();
    replaced_by(&gateway, &issued);
    gateway.terminate();
    assert!(gateway.wait().success());
}
