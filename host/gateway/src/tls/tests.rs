//! Changes of certificate files, and certificates for other tests.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use postgate_config::{Config, Overrides};
use postgate_tls::{Certificate, CertificateFacts, crypto_provider};
use rcgen::{CertificateParams, KeyPair};

use super::CertificateStore;

/// Generates a self-signed certificate for a name.
pub(super) fn certificate_for(name: &str) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let made = made.self_signed(&key).unwrap();
    let facts = CertificateFacts::of(made.der()).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let key = rustls::sign::CertifiedKey::from_der(
        vec![made.der().clone()],
        key.into(),
        &crypto_provider(),
    );
    Certificate {
        name: name.to_owned(),
        facts,
        is_self_signed: false,
        key: Arc::new(key.unwrap()),
    }
}

/// Returns a configuration with the certificate `mx.pem` and the key `mx.key` in a directory.
fn config(directory: &Path) -> Config {
    let text = r#"
hostname = "mx.example.org"
[[listener]]
address = "127.0.0.1:0"
tls = "optional"
[[certificate]]
name = "mx"
chain = "mx.pem"
key = "mx.key"
"#;
    Config::parse(text, &directory.join("test.toml"), &Overrides::default()).unwrap()
}

/// Returns a store with one certificate in a directory, which is valid for `days` days.
pub(super) fn store_for(directory: &Path, days: u32) -> CertificateStore {
    let key = KeyPair::generate().unwrap();
    let mut made = CertificateParams::new(vec!["mx.example.org".to_owned()]).unwrap();
    made.not_after = (SystemTime::now() + Duration::from_hours(24) * days).into();
    let made = made.self_signed(&key).unwrap();
    fs::write(directory.join("mx.pem"), made.pem()).unwrap();
    fs::write(directory.join("mx.key"), key.serialize_pem()).unwrap();
    CertificateStore::load(&config(directory)).unwrap()
}

#[test]
fn a_file_that_changes_while_it_is_read_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let key = KeyPair::generate().unwrap();
    let certificate = |name: &str| {
        let made = CertificateParams::new(vec![name.to_owned()]).unwrap();
        made.self_signed(&key).unwrap().pem()
    };
    fs::write(path("mx.key"), key.serialize_pem()).unwrap();
    fs::write(path("mx.pem"), certificate("old.example")).unwrap();
    let before = CertificateStore::load(&config(directory.path())).unwrap();
    let digest = before.digest();
    fs::write(path("mx.pem"), certificate("new.example")).unwrap();
    let store = CertificateStore::load_after(digest, &config(directory.path())).unwrap();
    assert!(store.reload_changed().is_some());
    assert!(store.reload_changed().is_none());
    assert_eq!(store.all()[0].facts.names, ["new.example"]);
}
