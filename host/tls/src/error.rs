//! Why a certificate cannot be used: the file, the key of the configuration, and a remedy.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::sections::PemError;

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
    /// The certificate is not as its authority has signed it.
    #[error("the certificate was altered: its signature is wrong; get it anew")]
    Altered,
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
    /// The certificate that begins in this line of the file, or the section, has this fault.
    #[error("line {line}: {fault}")]
    InLine {
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong there.
        #[source]
        fault: Box<Self>,
    },
    /// The certificate cannot be parsed.
    #[error("the certificate is malformed ({0}); get it anew")]
    Malformed(#[source] Box<dyn Error + Send + Sync>),
    /// The list of revoked certificates cannot be parsed.
    #[error("the revocation list is malformed; get it anew")]
    MalformedList,
    /// The certificate of this subject may issue no others.
    #[error(
        "the certificate of {0:?} is no authority (it has no basicConstraints with CA:TRUE); name the \
         certificate of the authority that issues those of clients"
    )]
    NoAuthority(String),
    /// The file has no certificate, but these kinds of sections.
    #[error("expected a certificate in PEM (-----BEGIN CERTIFICATE-----), found {0}")]
    NoCertificate(String),
    /// The file has no private key, but these kinds of sections.
    #[error(
        "expected a private key in PEM (-----BEGIN PRIVATE KEY-----), found {0}; name its file in `key`"
    )]
    NoKey(String),
    /// The file has no list of revoked certificates, but these kinds of sections.
    #[error("expected a revocation list in PEM (-----BEGIN X509 CRL-----), found {0}")]
    NoRevocationList(String),
    /// The key belongs to the certificate at this position of the chain, not to the first.
    #[error(
        "the key belongs to certificate {0} of the chain; it must be the first, before those that lead to its root"
    )]
    NotFirst(usize),
    /// The certificate did not issue the one before it.
    #[error(
        "the certificate of {subject:?} did not issue that in line {issued}, which is from {issuer:?}; \
         put the issuer of each certificate behind it, and leave out others"
    )]
    NotIssuer {
        /// The subject of the certificate.
        subject: String,
        /// The line where the certificate before it begins.
        issued: usize,
        /// The issuer of the certificate before it.
        issuer: String,
    },
    /// The certificate is not signed with the key of the one in this line.
    #[error(
        "the signature is not of the certificate in line {0}; one of them was altered, or the key of \
         the authority has changed: get both anew"
    )]
    NotSigned(usize),
    /// The key does not belong to the certificate in this file.
    #[error("the key does not belong to the certificate in {}", .0.display())]
    NotItsKey(PathBuf),
    /// The certificate is not valid yet.
    #[error("the certificate is not valid before {0}; is the clock of this machine right?")]
    NotYetValid(String),
    /// The file has a line that cannot be accounted for.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The certificate follows itself; the number is that of the line where it begins before.
    #[error("this is the certificate of line {0} again; remove one of them")]
    Repeated(usize),
    /// The file has another key, at this line.
    #[error("a second private key, after that in line {0}; keep the one of the certificate")]
    SeveralKeys(usize),
    /// The certificate has settings of OpenSSL, which would be ignored.
    #[error(
        "this is a certificate with settings of OpenSSL; write it without them: \
         openssl x509 -in TRUSTED -out CERTIFICATE"
    )]
    TrustedCertificate,
    /// The section is of this kind, which is of no use.
    #[error("a section of the kind {0:?} is of no use here; remove it")]
    UnknownSection(String),
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

impl CertificateFault {
    /// The same fault, of what begins in a line of the file.
    pub(crate) fn in_line(self, line: usize) -> Self {
        let fault = Box::new(self);
        Self::InLine { line, fault }
    }
}
