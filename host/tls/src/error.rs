//! Why a certificate cannot be used: which file, by which key of the configuration, and what helps.

use std::io;
use std::path::PathBuf;

/// A certificate or a key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {}: {fault}", file.display())]
pub struct CertificateError {
    /// The key of the configuration that names the file, for example `certificate mx: key`.
    pub key: String,
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fault: CertificateFault,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// The private key is protected by a passphrase, and nobody is there to type it.
    #[error(
        "the key is encrypted; write it without a passphrase: openssl pkey -in ENCRYPTED -out KEY"
    )]
    EncryptedKey,
    /// Nothing is in the file.
    #[error("the file is empty")]
    Empty,
    /// The certificate that would take the place of another one is no longer valid.
    #[error("the certificate expired on {0}; renew it")]
    Expired(String),
    /// The certificate cannot be taken apart.
    #[error("the certificate is malformed ({0}); get it anew")]
    Malformed(String),
    /// The file has no certificate.
    #[error("expected a certificate in PEM (-----BEGIN CERTIFICATE-----), found {0}")]
    NoCertificate(String),
    /// The file has no private key.
    #[error(
        "expected a private key in PEM (-----BEGIN PRIVATE KEY-----), found {0}; name its file in `key`"
    )]
    NoKey(String),
    /// The file has no list of revoked certificates.
    #[error("expected a revocation list in PEM (-----BEGIN X509 CRL-----), found none")]
    NoRevocationList,
    /// The key belongs to another certificate of the chain.
    #[error(
        "the key belongs to certificate {0} of the chain; it must be the first, before those that lead to its root"
    )]
    NotFirst(usize),
    /// The key belongs to another certificate.
    #[error("the key does not belong to the certificate in {}", .0.display())]
    NotItsKey(PathBuf),
    /// The certificate that would take the place of another one is not valid yet.
    #[error("the certificate is not valid before {0}; is the clock of this machine right?")]
    NotYetValid(String),
    /// The text cannot be taken apart.
    #[error("not PEM: {0}")]
    Syntax(String),
    /// The system does not let it be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The key is of a kind that cannot be used.
    #[error("the key cannot be used ({0}); take an ECDSA, RSA or Ed25519 key")]
    UnusableKey(String),
    /// The authority cannot be used to verify clients.
    #[error("the authority cannot be used ({0})")]
    UnusableAuthority(String),
}
