//! Which certificates of a backend are accepted, and the one that the gateway sends.

use std::fs;
use std::sync::Arc;

use postgate_config::{BackendCertificate, BackendTls, BackendTrust};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, KeyIdMethod,
    KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use super::super::script::play_tls;
use super::super::support::begin;
use super::authority::{Authority, ENVELOPE, HELLO, INSECURE, Served, server_config, starting, to};

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
    // Without verification every certificate is accepted, and with another name the one for that
    // name.
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

/// A certificate as `openssl req -x509` makes it, marked as an authority.
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
        // Another certificate with the same name is not accepted.
        let another = signed("store.example", later);
        assert_eq!(hears(&another, authority.trusting(), false).await, INSECURE);
    }
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

/// The reply to the client if the backend has this certificate.
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
