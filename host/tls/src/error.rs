//! Why a certificate cannot be used: the file, the key of the configuration, and a remedy.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use rustls::pki_types::pem;

/// A certificate or a key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {}: {fault}", file.display())]
pub struct CertificateError {
    /// The key of the configuration that names the file, for example `certificate mx: key`.
    pub key: String,
    /// The file.
    pub file: PathBuf,
    /// What is wrong with the file.
    #[source]
    pub fault: CertificateFault,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// The private key is protected by a passphrase.
    #[error(
        "the key is encrypted; write it without a passphrase: openssl pkey -in ENCRYPTED -out KEY"
    )]
    EncryptedKey,
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// The certificate has expired.
    #[error("the certificate expired on {0}; renew it")]
    Expired(String),
    /// The certificate cannot be parsed.
    #[error("the certificate is malformed ({0}); get it anew")]
    Malformed(#[source] Box<dyn Error + Send + Sync>),
    /// The file has no certificate, but these kinds of sections.
    #[error("expected a certificate in PEM (-----BEGIN CERTIFICATE-----), found {0}")]
    NoCertificate(String),
    /// The file has no private key, but these kinds of sections.
    #[error(
        "expected a private key in PEM (-----BEGIN PRIVATE KEY-----), found {0}; name its file in `key`"
    )]
    NoKey(String),
    /// The file has no list of revoked certificates.
    #[error("expected a revocation list in PEM (-----BEGIN X509 CRL-----), found none")]
    NoRevocationList,
    /// The key belongs to the certificate at this position of the chain, not to the first.
    #[error(
        "the key belongs to certificate {0} of the chain; it must be the first, before those that lead to its root"
    )]
    NotFirst(usize),
    /// The key does not belong to the certificate in this file.
    #[error("the key does not belong to the certificate in {}", .0.display())]
    NotItsKey(PathBuf),
    /// The certificate is not valid yet.
    #[error("the certificate is not valid before {0}; is the clock of this machine right?")]
    NotYetValid(String),
    /// The text is not PEM.
    #[error("not PEM: {}", pem_syntax(.0))]
    Syntax(#[from] pem::Error),
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The key is malformed, or of a kind that is not supported.
    #[error("the key cannot be used ({0}); take an ECDSA, RSA or Ed25519 key")]
    UnusableKey(#[source] rustls::Error),
    /// The authority cannot be used to verify certificates.
    #[error("the authority cannot be used ({0})")]
    UnusableAuthority(#[source] Box<dyn Error + Send + Sync>),
}

/// The error of the PEM parser in words.
fn pem_syntax(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!(
                "there is no -----END {}-----",
                String::from_utf8_lossy(end_marker)
            )
        }
        pem::Error::IllegalSectionStart { line } => {
            format!("a section begins with {}", String::from_utf8_lossy(line))
        }
        pem::Error::Base64Decode(what) => format!("a section is not base64 ({what})"),
        error => error.to_string(),
    }
}
