//! When the handshake happens, and what must not happen without it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use postgate_config::{Backend, BackendAddress, BackendTls, HostPort, TlsStart, TlsVersion};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::super::script::{MESSAGE, greeted, offering, play, play_tls};
use super::super::support::{backend, begin};
use super::authority::{Authority, ENVELOPE, HELLO, INSECURE, server_config, starting, to};
use crate::Delivery;

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

#[tokio::test]
async fn after_starttls_the_gateway_introduces_itself_again_and_goes_on() {
    let authority = Authority::new();
    let served = authority.server("store.example", |_| ());
    let delivered = [ENVELOPE.as_slice(), &MESSAGE, &["S: 250 2.0.0 queued"]].concat();
    let script = [&["TLS"], HELLO.as_slice(), &delivered].concat();
    // The same connection serves twice.
    let script = [script, delivered].concat();
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
    // The connection is closed with QUIT, which is encrypted.
    drop(mail);
    playing.await.unwrap();
}

/// No mail is sent over a connection that is not encrypted, whatever the backend replies.
#[tokio::test]
async fn there_is_no_way_back_to_clear_text() {
    let authority = Authority::new();
    let refused = ["C: STARTTLS", "S: 454 4.7.0 no", "end"];
    let for_good = ["C: STARTTLS", "S: 502 5.5.1 no", "end"];
    let table: [(Vec<&'static str>, &str); 7] = [
        (offering(&["S: 250-AUTH PLAIN"], &["end"]), "451 4.7.4"),
        (offering(&["S: 250-STARTTLS"], &refused), "451 4.7.4"),
        (offering(&["S: 250-STARTTLS"], &for_good), "451 4.7.4"),
        // Old servers do not know EHLO.
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
        // The gateway may close the connection before the end of the script.
        _ = playing.await;
    }
}

#[tokio::test]
async fn silence_in_the_handshake_is_a_timeout() {
    let authority = Authority::new();
    // Scripts cannot be used here: they read lines, and a handshake has none.
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

/// Notes the server names (SNI) of clients, and has the same certificate for all of them.
#[derive(Debug)]
struct Asked(Arc<CertifiedKey>, Mutex<Vec<Option<String>>>);

impl ResolvesServerCert for Asked {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_owned);
        self.1.lock().unwrap().push(name);
        Some(Arc::clone(&self.0))
    }
}
