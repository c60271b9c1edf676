//! The certificates in use, as the control socket and the command line report them.

use serde::{Deserialize, Serialize};

use postgate_tls::Certificate;

/// The certificates in use, and the listeners that use them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateListing {
    /// The certificates, in the order of the configuration, or the self-signed one.
    pub certificates: Vec<CertificateState>,
    /// The listeners, in the order of the configuration.
    pub listeners: Vec<ListenerCertificates>,
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateState {
    /// The name in the configuration, or `self-signed`.
    pub name: String,
    /// The subject's distinguished name.
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The subject alternative names: host names, IP addresses and mail addresses.
    pub names: Vec<String>,
    /// The SHA-256 hash of the certificate, in lower-case hexadecimal digits.
    pub fingerprint: String,
    /// The start of the validity period, in RFC 3339 format.
    pub not_before: String,
    /// The end of the validity period, in RFC 3339 format.
    pub not_after: String,
    /// True if the gateway has generated the certificate. It is for tests only.
    pub is_self_signed: bool,
    /// The certificate and its intermediates in PEM, without the private key.
    pub pem: String,
}

/// The certificates of one listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerCertificates {
    /// The name of the listener.
    pub listener: String,
    /// The names of the certificates; `None` if the listener has no TLS.
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
