//! Connections that are encrypted, and those that must not come about.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::script::{greeted, offering, offering_lmtp, play, play_tls, play_unix};
use super::support::{backend, begin, begin_with, delivery};
use crate::Delivery;
use crate::security::ConnectionSecurity;
use postgate_config::Backend;
use postgate_config::BackendAddress;
use postgate_config::{
    BackendCertificate, BackendTls, BackendTrust, HostPort, TlsStart, TlsVersion,
};
use postgate_proto::parameters::MailParameters;
use postgate_proto::parameters::Parameter;
use postgate_tls::Reloaded;
use std::time::Duration;

fn current(delivery: &Delivery) -> Arc<ConnectionSecurity> {
    delivery.server().unwrap().security.get()
}

/// A certificate authority, and the files of those who trust it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    directory: TempDir,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
            directory,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A server with a certificate for this name; `change` makes it a bad one.
    fn server(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Served {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Served { certificate, key }
    }

    /// What trusts this authority for a backend that is called `store.example`.
    fn trusting(&self) -> BackendTls {
        BackendTls {
            start: TlsStart::StartTls,
            name: "store.example".into(),
            minimum: TlsVersion::V1_2,
            trust: BackendTrust::Authorities {
                file: Some(self.file("ca.pem")),
                revoked: None,
            },
            certificate: None,
        }
    }
}

struct Served {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// Notes the names that clients ask for (SNI), and shows one certificate whatever they are.
#[derive(Debug)]
struct Asked(Arc<CertifiedKey>, Mutex<Vec<Option<String>>>);

impl ResolvesServerCert for Asked {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_owned);
        self.1.lock().unwrap().push(name);
        Some(Arc::clone(&self.0))
    }
}

impl Served {
    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    fn acceptor(&self) -> TlsAcceptor {
        let config = server_config().with_no_client_auth();
        let chain = vec![self.certificate.der().clone()];
        let config = config.with_single_cert(chain, self.key()).unwrap();
        Arc::new(config).into()
    }
}

#[tokio::test]
async fn the_backend_hears_the_name_that_it_is_verified_by() {
    let authority = Authority::new();
    let served = authority.server("store.example", |_| ());
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let chain = vec![served.certificate.der().clone()];
    let key = CertifiedKey::from_der(chain, served.key(), &provider).unwrap();
    let asked = Arc::new(Asked(Arc::new(key), Mutex::default()));
    let config = server_config().with_no_client_auth();
    let config = config.with_cert_resolver(Arc::clone(&asked) as _);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let session = starting(&[&["TLS"], HELLO.as_slice(), &ENVELOPE].concat());
    let (address, playing) = play_tls(Some(acceptor), vec![session]).await;
    let delivery = to(address, authority.trusting());
    assert_eq!(begin(&delivery).offer("c@d").await, "250 2.1.5 fine");
    drop(delivery);
    playing.await.unwrap();
    assert_eq!(*asked.1.lock().unwrap(), [Some("store.example".to_owned())]);
}

#[tokio::test]
async fn a_backend_that_speaks_old_versions_only_is_good_where_they_are_taken() {
    let authority = Authority::new();
    let served = authority.server("store.example", |_| ());
    for (minimum, is_good) in [(TlsVersion::V1_2, true), (TlsVersion::V1_3, false)] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_no_client_auth();
        let chain = vec![served.certificate.der().clone()];
        let config = config.with_single_cert(chain, served.key()).unwrap();
        let session = match is_good {
            true => starting(&[&["TLS"], HELLO.as_slice(), &ENVELOPE].concat()),
            false => starting(&["no TLS"]),
        };
        let (address, playing) = play_tls(Some(Arc::new(config).into()), vec![session]).await;
        let tls = BackendTls {
            minimum,
            ..authority.trusting()
        };
        let delivery = to(address, tls);
        let expected = if is_good { "250 2.1.5 fine" } else { INSECURE };
        assert_eq!(begin(&delivery).offer("c@d").await, expected);
        drop(delivery);
        playing.await.unwrap();
    }
}

fn server_config() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
}

fn to(address: HostPort, tls: BackendTls) -> Delivery {
    let backend = Backend {
        tls: Some(tls),
        ..backend(BackendAddress::Smtp(address))
    };
    Delivery::new(&backend, "gate.example").unwrap()
}

/// A backend that offers STARTTLS and is asked for it, with what follows.
fn starting(lines: &[&'static str]) -> Vec<&'static str> {
    const ASKED: [&str; 2] = ["C: STARTTLS", "S: 220 2.0.0 go"];
    offering(&["S: 250-STARTTLS"], &[&ASKED, lines].concat())
}

const HELLO: [&str; 3] = ["C: EHLO gate.example", "S: 250-hi", "S: 250 PIPELINING"];

const ENVELOPE: [&str; 4] = [
    "C: MAIL FROM:<a@b>",
    "C: RCPT TO:<c@d>",
    "S: 250 ok",
    "S: 250 2.1.5 fine",
];

#[tokio::test]
async fn after_starttls_the_gateway_introduces_itself_again_and_goes_on() {
    let authority = Authority::new();
    let served = authority.server("store.example", |_| ());
    const MESSAGE: [&str; 7] = [
        "C: DATA",
        "S: 354 go",
        "C: A: b",
        "C: ",
        "C: ..body",
        "C: .",
        "S: 250 2.0.0 queued",
    ];
    let script = [&["TLS"], HELLO.as_slice(), &ENVELOPE, &MESSAGE].concat();
    // The same connection serves twice.
    let script = [&script, ENVELOPE.as_slice(), &MESSAGE].concat();
    let (address, playing) = play_tls(Some(served.acceptor()), vec![starting(&script)]).await;
    let delivery = to(address, authority.trusting());
    for _ in 0..2 {
        let mut mail = begin(&delivery);
        assert_eq!(mail.offer("c@d").await, "250 2.1.5 fine");
        assert_eq!(mail.deliver().await, "250 2.0.0 queued");
    }
    playing.await.unwrap();
}

#[tokio::test]
async fn implicit_tls_begins_with_the_handshake() {
    let authority = Authority::new();
    let served = authority.server("store.example", |_| ());
    let script = [&["TLS"], greeted(&ENVELOPE).as_slice(), &["C: QUIT"]].concat();
    let (address, playing) = play_tls(Some(served.acceptor()), vec![script]).await;
    let tls = BackendTls {
        start: TlsStart::Implicit,
        ..authority.trusting()
    };
    let backend = Backend {
        tls: Some(tls),
        max_idle: 0,
        ..backend(BackendAddress::Smtp(address))
    };
    let delivery = Delivery::new(&backend, "gate.example").unwrap();
    let mut mail = begin(&delivery);
    assert_eq!(mail.offer("c@d").await, "250 2.1.5 fine");
    // The connection is closed with a word, encrypted like all others.
    drop(mail);
    playing.await.unwrap();
}

/// What a client hears of a backend that shows this certificate.
async fn hears(served: &Served, tls: BackendTls, is_good: bool) -> String {
    let script = match is_good {
        true => [&["TLS"], HELLO.as_slice(), &ENVELOPE].concat(),
        false => vec!["no TLS"],
    };
    let (address, playing) = play_tls(Some(served.acceptor()), vec![starting(&script)]).await;
    let delivery = to(address, tls);
    let mut mail = begin(&delivery);
    let reply = mail.offer("c@d").await;
    drop((mail, delivery));
    playing.await.unwrap();
    reply
}

const INSECURE: &str = "451 4.7.5 Mail store cannot be reached securely, try again later";

#[tokio::test]
async fn only_the_right_certificate_is_good() {
    let authority = Authority::new();
    let good = authority.server("store.example", |_| ());
    let expired = authority.server("store.example", |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let early = authority.server("store.example", |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
    });
    let other = authority.server("other.example", |_| ());
    let stranger = Authority::new().server("store.example", |_| ());
    for (served, is_good) in [
        (&good, true),
        (&expired, false),
        (&early, false),
        (&other, false),
        (&stranger, false),
    ] {
        let expected = if is_good { "250 2.1.5 fine" } else { INSECURE };
        assert_eq!(hears(served, authority.trusting(), is_good).await, expected);
    }
    // Whoever does not verify takes them all, and whoever asks for another name takes the other one.
    let anybody = BackendTls {
        trust: BackendTrust::Anybody,
        ..authority.trusting()
    };
    assert_eq!(hears(&expired, anybody, true).await, "250 2.1.5 fine");
    let named = BackendTls {
        name: "other.example".into(),
        ..authority.trusting()
    };
    assert_eq!(hears(&other, named, true).await, "250 2.1.5 fine");
}

#[tokio::test]
async fn a_revoked_certificate_is_not_good() {
    let authority = Authority::new();
    let serial = SerialNumber::from(4711_u64);
    let revoked = authority.server("store.example", |params| {
        params.serial_number = Some(serial.clone());
    });
    let other = authority.server("store.example", |_| ());
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(4000, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: serial,
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&authority.issuer).unwrap();
    fs::write(authority.file("crl.pem"), list.pem().unwrap()).unwrap();
    let tls = BackendTls {
        trust: BackendTrust::Authorities {
            file: Some(authority.file("ca.pem")),
            revoked: Some(authority.file("crl.pem")),
        },
        ..authority.trusting()
    };
    assert_eq!(hears(&revoked, tls.clone(), false).await, INSECURE);
    assert_eq!(hears(&other, tls, true).await, "250 2.1.5 fine");
}

/// As `openssl req -x509` makes it: it says that it is an authority.
#[tokio::test]
async fn a_certificate_that_signs_itself_is_good_where_it_is_named() {
    let authority = Authority::new();
    let signed = |name: &str, not_after| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = not_after;
        let certificate = params.self_signed(&key).unwrap();
        Served { certificate, key }
    };
    let later = date_time_ymd(4000, 1, 1);
    for (served, is_good) in [
        (signed("store.example", later), true),
        (signed("other.example", later), false),
        (signed("store.example", date_time_ymd(2020, 1, 1)), false),
    ] {
        fs::write(authority.file("ca.pem"), served.certificate.pem()).unwrap();
        let expected = if is_good { "250 2.1.5 fine" } else { INSECURE };
        let reply = hears(&served, authority.trusting(), is_good).await;
        assert_eq!(reply, expected);
        // Another one of the same name is not the one that was named.
        let another = signed("store.example", later);
        assert_eq!(hears(&another, authority.trusting(), false).await, INSECURE);
    }
}

/// Nothing goes over a connection that is not encrypted, whatever the backend says.
#[tokio::test]
async fn there_is_no_way_back_to_clear_text() {
    let authority = Authority::new();
    let refused = ["C: STARTTLS", "S: 454 4.7.0 no", "end"];
    let for_good = ["C: STARTTLS", "S: 502 5.5.1 no", "end"];
    let table: [(Vec<&'static str>, &str); 7] = [
        (offering(&["S: 250-AUTH PLAIN"], &["end"]), "451 4.7.4"),
        (offering(&["S: 250-STARTTLS"], &refused), "451 4.7.4"),
        (offering(&["S: 250-STARTTLS"], &for_good), "451 4.7.4"),
        // Old servers know no EHLO.
        (
            vec![
                "S: 220 hi",
                "C: EHLO gate.example",
                "S: 502 what",
                "C: HELO gate.example",
                "S: 250 hi",
                "end",
            ],
            "451 4.7.4",
        ),
        // In place of a handshake.
        (
            starting(&["S: 250 hello", "S: 250 who needs TLS"]),
            "451 4.",
        ),
        (starting(&[]), "451 4.4.2"),
        (vec!["S: 220 hi", "C: EHLO gate.example"], "451 4.4.2"),
    ];
    for (script, expected) in table {
        let (address, playing) = play(vec![script]).await;
        let delivery = to(address, authority.trusting());
        let mut mail = begin(&delivery);
        let reply = mail.offer("c@d").await;
        assert!(reply.starts_with(expected), "{reply}");
        drop((mail, delivery));
        // A script that is cut short by the gateway may not come to its end.
        _ = playing.await;
    }
}

#[tokio::test]
async fn silence_in_the_handshake_is_a_timeout() {
    let authority = Authority::new();
    // What the gateway says in its handshake is no line, so that the script waits for the end.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = HostPort {
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
    };
    let accepted = tokio::spawn(async move { listener.accept().await.unwrap() });
    let backend = Backend {
        tls: Some(BackendTls {
            start: TlsStart::Implicit,
            ..authority.trusting()
        }),
        connect_timeout: Duration::from_millis(100),
        ..backend(BackendAddress::Smtp(address))
    };
    let delivery = Delivery::new(&backend, "gate.example").unwrap();
    let reply = begin(&delivery).offer("c@d").await;
    assert!(reply.starts_with("451 4.4.2"), "{reply}");
    accepted.await.unwrap();
}

#[tokio::test]
async fn a_backend_that_asks_gets_the_certificate_of_the_gateway() {
    let authority = Authority::new();
    let served = authority.server("store.example", |_| ());
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let demanding = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let config = server_config().with_client_cert_verifier(demanding.unwrap());
    let chain = vec![served.certificate.der().clone()];
    let config = config.with_single_cert(chain, served.key()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let own = authority.server("gate.example", |_| ());
    fs::write(authority.file("own.pem"), own.certificate.pem()).unwrap();
    fs::write(authority.file("own.key"), own.key.serialize_pem()).unwrap();
    let with_certificate = BackendTls {
        certificate: Some(BackendCertificate {
            chain: authority.file("own.pem"),
            key: authority.file("own.key"),
        }),
        ..authority.trusting()
    };
    let good = starting(&[&["TLS"], HELLO.as_slice(), &ENVELOPE].concat());
    let bad = starting(&["no TLS"]);
    for (tls, script, expected) in [
        (with_certificate, good, "250 2.1.5 fine"),
        (authority.trusting(), bad, INSECURE),
    ] {
        let (address, playing) = play_tls(Some(acceptor.clone()), vec![script]).await;
        let delivery = to(address, tls);
        assert_eq!(begin(&delivery).offer("c@d").await, expected);
        drop(delivery);
        playing.await.unwrap();
    }
}

/// RFC 8689.
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

#[tokio::test]
async fn files_that_change_hold_for_new_connections() {
    let authority = Authority::new();
    let served = authority.server("store.example", |_| ());
    let good = fs::read(authority.file("ca.pem")).unwrap();
    let session = starting(&[&["TLS"], HELLO.as_slice(), &ENVELOPE].concat());
    let refused = starting(&["no TLS"]);
    let connections = vec![session.clone(), refused, session];
    let (address, playing) = play_tls(Some(served.acceptor()), connections).await;
    let delivery = to(address, authority.trusting());
    assert!(delivery.reload_changed().is_none(), "nothing has changed");
    let holds = current(&delivery);
    assert!(matches!(delivery.reload(), Some(Ok(Reloaded::Same))));
    assert!(Arc::ptr_eq(&holds, &current(&delivery)), "connections stay");
    assert_eq!(begin(&delivery).offer("c@d").await, "250 2.1.5 fine");
    // A connection that was made by what held before is not used again.
    fs::write(authority.file("ca.pem"), Authority::new().certificate.pem()).unwrap();
    let reloaded = delivery.reload_changed();
    assert!(matches!(reloaded, Some(Ok(Reloaded::Changed))));
    assert_eq!(begin(&delivery).offer("c@d").await, INSECURE);
    fs::write(authority.file("ca.pem"), good).unwrap();
    assert!(matches!(delivery.reload(), Some(Ok(Reloaded::Changed))));
    // What cannot be used changes nothing, and is said once.
    fs::write(authority.file("ca.pem"), "no certificate").unwrap();
    assert!(matches!(delivery.reload_changed(), Some(Err(_))));
    assert!(delivery.reload_changed().is_none());
    assert!(matches!(delivery.reload(), Some(Err(_))));
    assert_eq!(begin(&delivery).offer("c@d").await, "250 2.1.5 fine");
    drop(delivery);
    playing.await.unwrap();
}
