//! What clients are shown, as an operator sees it.

use serde::{Deserialize, Serialize};

use postgate_tls::Certificate;

/// What clients are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateListing {
    /// The certificates, in the order of the configuration, or the one for tests.
    pub certificates: Vec<CertificateState>,
    /// The listeners, in the order of the configuration.
    pub listeners: Vec<ShownAt>,
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateState {
    /// The name in the configuration; `self-signed` for the one that is made.
    pub name: String,
    /// The subject's distinguished name.
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// Names of hosts, addresses and mail addresses of the subject.
    pub names: Vec<String>,
    /// The SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub fingerprint: String,
    /// From when on it is valid.
    pub not_before: String,
    /// Until when it is valid.
    pub not_after: String,
    /// Whether it was made at the start, and serves for tests only.
    pub is_self_signed: bool,
    /// It and those that lead to its root, in PEM, without the key.
    pub pem: String,
}

/// The certificates of one listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownAt {
    /// The name of the listener.
    pub listener: String,
    /// The names of the certificates. Nothing: the listener has no TLS.
    pub certificates: Option<Vec<String>>,
}

impl From<&Certificate> for CertificateState {
    fn from(certificate: &Certificate) -> Self {
        let facts = certificate.facts.clone();
        Self {
            name: certificate.name.clone(),
            subject: facts.subject,
            issuer: facts.issuer,
            names: facts.names,
            fingerprint: facts.fingerprint,
            not_before: facts.not_before.to_string(),
            not_after: facts.not_after.to_string(),
            is_self_signed: certificate.is_self_signed,
            pem: certificate.pem(),
        }
    }
}
