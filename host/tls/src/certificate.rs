//! A certificate and its key, checked, with the facts that people ask for.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::error::{CertificateError, CertificateFault};
use super::pem;
use postgate_config::CertificateFiles;

/// A certificate that clients are shown, and its key.
#[derive(Clone)]
pub struct Certificate {
    /// The name in the configuration; `self-signed` for the one that is made.
    pub name: String,
    /// What is written in it.
    pub facts: Facts,
    /// Whether it was made at the start, and serves for tests only.
    pub is_self_signed: bool,
    /// The chain, and the key to its first certificate.
    pub key: Arc<CertifiedKey>,
}

/// What is written in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The subject's distinguished name (RFC 4514, but in the order of the certificate).
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// Names of hosts, addresses and mail addresses of the subject, in lower case
    /// (subjectAltName).
    pub names: Vec<String>,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// The SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub fingerprint: String,
}

impl Certificate {
    /// Reads and checks the files of a certificate: everything but the time, which only
    /// [`Facts::check_time`] looks at.
    pub fn load(files: &CertificateFiles) -> Result<Self, CertificateError> {
        let error = |key: &str, file: &Path, fault| CertificateError {
            key: format!("certificate {}: {key}", files.name),
            file: file.to_owned(),
            fault,
        };
        let in_chain = |fault| error("chain", &files.chain, fault);
        let in_key = |fault| error("key", &files.key, fault);
        let chain = pem::certificates(&files.chain).map_err(in_chain)?;
        let facts = Facts::of(&chain[0]).map_err(in_chain)?;
        let key = pem::key(&files.key).map_err(in_key)?;
        let key = together(chain, key, &files.chain).map_err(in_key)?;
        Ok(Self {
            name: files.name.clone(),
            facts,
            is_self_signed: false,
            key: Arc::new(key),
        })
    }

    /// The certificate and those that lead to its root, in PEM, without the key.
    pub fn pem(&self) -> String {
        let certificates = self.key.cert.iter();
        certificates.map(in_pem).collect()
    }
}

/// Hides the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("name", &self.name)
            .field("facts", &self.facts)
            .field("is_self_signed", &self.is_self_signed)
            .finish_non_exhaustive()
    }
}

impl Facts {
    /// Takes a certificate apart.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, CertificateFault> {
        let malformed = |error: &dyn fmt::Display| CertificateFault::Malformed(error.to_string());
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|error| malformed(&error))?;
        let time = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| malformed(&error))
        };
        let names = parsed.subject_alternative_name();
        let names = names.map_err(|error| malformed(&error))?;
        let names = names.iter().flat_map(|names| &names.value.general_names);
        Ok(Self {
            subject: harmless(&parsed.subject().to_string()),
            issuer: harmless(&parsed.issuer().to_string()),
            names: names.filter_map(name).map(|name| harmless(&name)).collect(),
            not_before: time(parsed.validity().not_before)?,
            not_after: time(parsed.validity().not_after)?,
            fingerprint: hexadecimal(&Sha256::digest(certificate)),
        })
    }

    /// Whether the certificate is valid at this time.
    pub fn check_time(&self, now: Timestamp) -> Result<(), CertificateFault> {
        if now < self.not_before {
            return Err(CertificateFault::NotYetValid(self.not_before.to_string()));
        }
        if now > self.not_after {
            return Err(CertificateFault::Expired(self.not_after.to_string()));
        }
        Ok(())
    }
}

/// Puts a key to its certificate.
pub fn together(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    file: &Path,
) -> Result<CertifiedKey, CertificateFault> {
    let provider = provider();
    let unusable = |error: Error| CertificateFault::UnusableKey(error.to_string());
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(unusable)?;
    let candidate = CertifiedKey::new(chain, key);
    match candidate.keys_match() {
        // A kind of key that does not tell its public half is taken at its word.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(candidate),
        Err(Error::InconsistentKeys(_)) => {
            let belongs_to = |certificate: &CertificateDer<'static>| {
                let key = Arc::clone(&candidate.key);
                let alone = CertifiedKey::new(vec![certificate.clone()], key);
                alone.keys_match().is_ok()
            };
            Err(match candidate.cert.iter().position(belongs_to) {
                Some(position) => CertificateFault::NotFirst(position + 1),
                None => CertificateFault::NotItsKey(file.to_owned()),
            })
        }
        Err(error) => Err(CertificateFault::Malformed(error.to_string())),
    }
}

/// The cryptography of the gateway.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// A certificate may call itself anything; in a line of the log it must stay in that line.
fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    text.chars().take(MAX_TEXT).map(shown).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) => {
            Some(name.to_ascii_lowercase())
        }
        GeneralName::IPAddress(octets) => address(octets),
        _ => None,
    }
}

fn address(octets: &[u8]) -> Option<String> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets)
            .ok()
            .map(|octets| IpAddr::from(octets).to_string()),
        _ => <[u8; 16]>::try_from(octets)
            .ok()
            .map(|octets| IpAddr::from(octets).to_string()),
    }
}

/// One certificate in PEM, in lines of 64 characters (RFC 7468 section 2).
fn in_pem(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64_STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem + "-----END CERTIFICATE-----\n"
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// How much of a name is told, in characters.
const MAX_TEXT: usize = 1024;
