//! Reading certificates and keys from PEM files (RFC 7468).

use std::fs;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::error::CertificateFault;

/// Reads the certificates of a file, in their order.
///
/// # Errors
///
/// Fails if the file cannot be read or parsed, or has no certificate.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let text = read(file)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(CertificateFault::Syntax)?;
    match certificates.is_empty() {
        true => Err(CertificateFault::NoCertificate(found_in(&text))),
        false => Ok(certificates),
    }
}

/// Makes a store of authorities that has only these.
///
/// # Errors
///
/// Fails if one of them cannot be an authority.
pub fn roots(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, CertificateFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate.clone())
            .map_err(|error| CertificateFault::UnusableAuthority(error.into()))?;
    }
    Ok(roots)
}

/// Reads the first private key of a file.
///
/// # Errors
///
/// Fails if the file cannot be read or parsed, has no key, or has one that is encrypted.
pub fn key(file: &Path) -> Result<PrivateKeyDer<'static>, CertificateFault> {
    let text = read(file)?;
    match PrivateKeyDer::pem_slice_iter(&text).next() {
        // The traditional format says in its headers that a key is encrypted, and parses as a key.
        _ if is_encrypted(&text) => Err(CertificateFault::EncryptedKey),
        Some(key) => key.map_err(CertificateFault::Syntax),
        None => Err(CertificateFault::NoKey(found_in(&text))),
    }
}

/// Reads a file into memory that is wiped when dropped: any of these files may have a key.
fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateFault> {
    let text = Zeroizing::new(fs::read(file)?);
    match text.trim_ascii().is_empty() {
        true => Err(CertificateFault::Empty),
        false => Ok(text),
    }
}

fn is_encrypted(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    labels(&text).any(|label| label == "ENCRYPTED PRIVATE KEY")
        || text
            .lines()
            .any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
}

/// The kinds of sections of a text, in words.
fn found_in(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut found: Vec<_> = labels(&text).collect();
    found.dedup();
    match found.is_empty() {
        true => "something else".to_owned(),
        false => found.join(", "),
    }
}

fn labels(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        line.trim_end()
            .strip_prefix("-----BEGIN ")?
            .strip_suffix("-----")
    })
}
