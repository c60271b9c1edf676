//! A certificate with its key, checked.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use postgate_config::CertificateFiles;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;

use crate::chain;
use crate::error::{CertificateError, CertificateFault};
use crate::pem;
use crate::printable::printable;
use crate::provider::crypto_provider;

/// A certificate of the gateway, and its key.
#[derive(Clone)]
pub struct Certificate {
    /// The name in the configuration; `self-signed` for one that was made at the start.
    pub name: String,
    /// What the certificate says.
    pub facts: CertificateFacts,
    /// True if the certificate was made at the start, for tests only.
    pub is_self_signed: bool,
    /// The chain, and the key of its first certificate.
    pub key: Arc<CertifiedKey>,
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject's distinguished name (RFC 4514, but in the order of the certificate).
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// Names of hosts, addresses and mail addresses of the subject, in lower case
    /// (subjectAltName).
    pub names: Vec<String>,
    /// The beginning of its validity.
    pub not_before: Timestamp,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// The SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub fingerprint: String,
}

impl Certificate {
    /// Reads and checks the files of a certificate, but not its validity period: see
    /// [`CertificateFacts::check_time`].
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be used, or if the key does not belong to the first certificate.
    pub fn load(files: &CertificateFiles) -> Result<Self, CertificateError> {
        let error = |key: &str, file: &Path, fault: CertificateFault| CertificateError {
            key: format!("certificate {}: {key}", files.name),
            file: file.to_owned(),
            fault,
        };
        let key = read_pair(&files.chain, &files.key).map_err(|(part, fault)| match part {
            Part::Chain => error("chain", &files.chain, fault),
            Part::Key => error("key", &files.key, fault),
        })?;
        let facts = CertificateFacts::of(&key.cert[0]);
        Ok(Self {
            name: files.name.clone(),
            facts: facts.map_err(|fault| error("chain", &files.chain, fault))?,
            is_self_signed: false,
            key: Arc::new(key),
        })
    }

    /// The certificate chain in PEM, without the key.
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

impl CertificateFacts {
    /// Parses a certificate.
    ///
    /// # Errors
    ///
    /// Fails if the certificate is malformed.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, CertificateFault> {
        let parsed = chain::parse(certificate)?;
        let time = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(malformed)
        };
        let names = parsed.subject_alternative_name();
        let names = names.map_err(malformed)?;
        let names = names.iter().flat_map(|names| &names.value.general_names);
        Ok(Self {
            subject: printable(&parsed.subject().to_string()),
            issuer: printable(&parsed.issuer().to_string()),
            names: names
                .filter_map(name)
                .map(|name| printable(&name))
                .collect(),
            not_before: time(parsed.validity().not_before)?,
            not_after: time(parsed.validity().not_after)?,
            fingerprint: hexadecimal(&Sha256::digest(certificate)),
        })
    }

    /// Checks that the certificate is valid at this time.
    ///
    /// # Errors
    ///
    /// Fails with [`CertificateFault::NotYetValid`] or [`CertificateFault::Expired`].
    pub fn check_now(&self) -> Result<(), CertificateFault> {
        self.check_time(Timestamp::now())
    }

    /// Checks the validity at a time.
    ///
    /// # Errors
    ///
    /// As [`Self::check_now`].
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

/// One of the two files of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Chain,
    Key,
}

/// Reads a chain and its key, which may be in one file.
///
/// # Errors
///
/// Fails with the file at fault if one of them cannot be used, if the key does not belong to the first
/// certificate, or if the certificates do not fit together.
pub(crate) fn read_pair(
    chain_file: &Path,
    key_file: &Path,
) -> Result<CertifiedKey, (Part, CertificateFault)> {
    let of_chain = |fault| (Part::Chain, fault);
    let of_key = |fault| (Part::Key, fault);
    let chain = pem::certificates(chain_file).map_err(of_chain)?;
    let key = pem::key(key_file).map_err(of_key)?;
    let certificates = chain.iter().map(|certificate| certificate.der.clone());
    // The key first: where it belongs to another certificate of the chain, that is all to be said.
    let key = certified_key(certificates.collect(), key, chain_file).map_err(of_key)?;
    chain::check(&chain).map_err(of_chain)?;
    Ok(key)
}

/// Combines a key with the chain that was read from this file.
fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    file: &Path,
) -> Result<CertifiedKey, CertificateFault> {
    let provider = crypto_provider();
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(CertificateFault::UnusableKey)?;
    let candidate = CertifiedKey::new(chain, key);
    match candidate.keys_match() {
        // Some kinds of keys do not give their public key, and cannot be compared.
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
        Err(error) => Err(malformed(error)),
    }
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> CertificateFault {
    CertificateFault::Malformed(Box::new(error))
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

#[cfg(test)]
mod tests;
