//! Files in PEM (RFC 7468): what is in them, and what should be.

use std::fs;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::error::CertificateFault;

/// Reads the certificates of a file, in their order; at least one.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let text = read(file)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| syntax(&error))?;
    match certificates.is_empty() {
        true => Err(CertificateFault::NoCertificate(found_in(&text))),
        false => Ok(certificates),
    }
}

/// Trusts these, and nobody else.
pub fn roots(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, CertificateFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate.clone())
            .map_err(|error| CertificateFault::UnusableAuthority(error.to_string()))?;
    }
    Ok(roots)
}

/// Reads the first private key of a file.
pub fn key(file: &Path) -> Result<PrivateKeyDer<'static>, CertificateFault> {
    let text = read(file)?;
    match PrivateKeyDer::pem_slice_iter(&text).next() {
        // What protects a key in the old way stands in its headers, and its body is no key.
        _ if is_encrypted(&text) => Err(CertificateFault::EncryptedKey),
        Some(key) => key.map_err(|error| syntax(&error)),
        None => Err(CertificateFault::NoKey(found_in(&text))),
    }
}

/// Any file may have a key in it.
fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateFault> {
    let text = Zeroizing::new(fs::read(file)?);
    match text.trim_ascii().is_empty() {
        true => Err(CertificateFault::Empty),
        false => Ok(text),
    }
}

fn syntax(error: &pem::Error) -> CertificateFault {
    CertificateFault::Syntax(match error {
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
    })
}

fn is_encrypted(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    labels(&text).any(|label| label == "ENCRYPTED PRIVATE KEY")
        || text
            .lines()
            .any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
}

/// The kinds of sections that a text has, in words.
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
