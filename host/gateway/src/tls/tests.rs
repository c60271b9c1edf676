//! Changes of certificate files, and certificates for other tests.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
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
    fs::write(path("new.pem"), certificate("new.example")).unwrap();
    // Opening a pipe for writing blocks until the store opens it for reading the first time.
    let made = Command::new("mkfifo").arg(path("mx.pem")).status().unwrap();
    assert!(made.success());
    let store = thread::scope(|scope| {
        scope.spawn(|| {
            let mut pipe = fs::File::create(path("mx.pem")).unwrap();
            fs::rename(path("new.pem"), path("mx.pem")).unwrap();
            pipe.write_all(certificate("old.example").as_bytes())
                .unwrap();
        });
        CertificateStore::load(&config(directory.path())).unwrap()
    });
    store.reload_changed();
    assert_eq!(store.all()[0].facts.names, ["new.example"]);
}
