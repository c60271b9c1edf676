//! Files that are not as they should be, and certificates that follow each other.

use rcgen::{CertificateParams, KeyPair};

use super::certificate::Facts;
use super::*;

/// A certificate for a name, signed by itself.
pub(super) fn made_for(name: &str) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let made = made.self_signed(&key).unwrap();
    let facts = Facts::of(made.der()).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let key =
        rustls::sign::CertifiedKey::from_der(vec![made.der().clone()], key.into(), &provider());
    Certificate {
        name: name.to_owned(),
        facts,
        is_self_signed: false,
        key: Arc::new(key.unwrap()),
    }
}
