//! A certificate with its key, checked.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use postgate_config::CertificateFiles;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::error::{CertificateError, CertificateFault};
use crate::pem;

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
        let error = |key: &str, file: &Path, fault| CertificateError {
            key: format!("certificate {}: {key}", files.name),
            file: file.to_owned(),
            fault,
        };
        let in_chain = |fault| error("chain", &files.chain, fault);
        let in_key = |fault| error("key", &files.key, fault);
        let chain = pem::certificates(&files.chain).map_err(in_chain)?;
        let facts = CertificateFacts::of(&chain[0]).map_err(in_chain)?;
        let key = pem::key(&files.key).map_err(in_key)?;
        let key = certified_key(chain, key, &files.chain).map_err(in_key)?;
        Ok(Self {
            name: files.name.clone(),
            facts,
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
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(malformed)?;
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

/// Combines a key with the chain that was read from this file.
///
/// # Errors
///
/// Fails if the key cannot be used, or does not belong to the first certificate.
pub fn certified_key(
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

/// The cryptography of all TLS connections of the gateway.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> CertificateFault {
    CertificateFault::Malformed(Box::new(error))
}

/// Limits a text from a certificate, and replaces its control characters, which could begin a new
/// line in the log.
fn printable(text: &str) -> String {
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

/// The most characters of a name that are kept.
const MAX_TEXT: usize = 1024;

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::fs;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn issue(name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        (params.self_signed(&key).unwrap(), key)
    }

    /// Loads a certificate from files with these texts.
    fn load(chain: &str, key: &str) -> Result<Certificate, CertificateFault> {
        let directory = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            name: "mx".into(),
            chain: directory.path().join("mx.pem"),
            key: directory.path().join("mx.key"),
        };
        fs::write(&files.chain, chain).unwrap();
        fs::write(&files.key, key).unwrap();
        Certificate::load(&files).map_err(|error| error.fault)
    }

    #[test]
    fn a_certificate_is_loaded_with_its_facts() {
        let (certificate, key) = issue("MX.example");
        let loaded = load(&certificate.pem(), &key.serialize_pem()).unwrap();
        assert_eq!(loaded.facts.names, ["mx.example"]);
        assert_eq!(loaded.facts.not_before.to_string(), "2020-01-01T00:00:00Z");
        assert_eq!(loaded.facts.fingerprint.len(), 64);
        assert_eq!(loaded.pem(), certificate.pem().replace("\r\n", "\n"));
        let at = |text: &str| loaded.facts.check_time(text.parse().unwrap());
        at("2025-01-01T00:00:00Z").unwrap();
        let early = at("2019-12-31T23:59:59Z");
        assert!(matches!(early, Err(CertificateFault::NotYetValid(_))));
        let late = at("2030-01-01T00:00:01Z");
        assert!(matches!(late, Err(CertificateFault::Expired(_))));
    }

    #[test]
    fn a_key_must_belong_to_the_first_certificate() {
        let (certificate, key) = issue("mx.example");
        let (other, _) = issue("other.example");
        let key = key.serialize_pem();
        let swapped = load(&(other.pem() + &certificate.pem()), &key);
        assert!(matches!(swapped, Err(CertificateFault::NotFirst(2))));
        let alien = load(&other.pem(), &key);
        assert!(matches!(alien, Err(CertificateFault::NotItsKey(_))));
    }

    #[test]
    fn faults_name_the_mistake_and_keep_their_cause() {
        let (certificate, key) = issue("mx.example");
        let (certificate, key) = (certificate.pem(), key.serialize_pem());
        let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cut = &certificate[..certificate.len() / 2];
        for (chain, key, expected, has_cause) in [
            (" ", &key, "the file is empty", false),
            (&key, &key, "expected a certificate in PEM", false),
            (garbage, &key, "the certificate is malformed (", true),
            (
                cut,
                &key,
                "not PEM: there is no -----END CERTIFICATE-----",
                true,
            ),
            (
                &certificate,
                &certificate,
                "expected a private key in PEM",
                false,
            ),
            (&certificate, &encrypted, "the key is encrypted; ", false),
        ] {
            let fault = load(chain, key).unwrap_err();
            assert!(fault.to_string().starts_with(expected), "{fault}");
            assert_eq!(fault.source().is_some(), has_cause, "{fault}");
        }
        let missing = pem::key(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot be read: "));
        assert!(missing.source().is_some());
    }
}
