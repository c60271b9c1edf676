//! Reading certificates, keys and revocation lists from PEM files (RFC 7468).
//!
//! Each section of a file is read, or passed over because it is of another known kind: a file may have
//! a certificate together with its key. Everything else is refused.

use std::path::Path;

use postgate_config::file::{MAX_TEXT, read_limited};
use rustls::RootCertStore;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs1KeyDer,
    PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};
use zeroize::Zeroizing;

use crate::chain::{self, FileCertificate};
use crate::error::CertificateFault;
use crate::sections::{Section, sections};

/// The authorities of a file.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// Their certificates, in the order of the file. There is at least one.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The same as a store that has only these.
    pub roots: RootCertStore,
}

/// Reads the certificates of a file, in their order. Each is parsed.
///
/// # Errors
///
/// Fails if the file cannot be read, has anything that cannot be accounted for, or has no certificate.
pub(crate) fn certificates(file: &Path) -> Result<Vec<FileCertificate>, CertificateFault> {
    let (found, kinds) = read(file)?;
    let mut certificates = Vec::new();
    for section in found
        .iter()
        .filter(|section| section.kind == Kind::Certificate)
    {
        let der = CertificateDer::from(section.content().to_vec());
        chain::parse(&der).map_err(|fault| fault.in_line(section.line()))?;
        let line = section.line();
        certificates.push(FileCertificate { line, der });
    }
    match certificates.is_empty() {
        true => Err(CertificateFault::NoCertificate(kinds)),
        false => Ok(certificates),
    }
}

/// Reads the authorities of a file.
///
/// # Errors
///
/// Fails as for other certificates, and if one of them cannot be an authority.
pub fn authorities(file: &Path) -> Result<Authorities, CertificateFault> {
    let found = certificates(file)?;
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        let in_line = |fault: CertificateFault| fault.in_line(certificate.line);
        chain::check_own_signature(&certificate.der).map_err(in_line)?;
        roots
            .add(certificate.der.clone())
            .map_err(|error| in_line(CertificateFault::UnusableAuthority(error.into())))?;
    }
    let certificates = found.into_iter().map(|certificate| certificate.der);
    Ok(Authorities {
        certificates: certificates.collect(),
        roots,
    })
}

/// Reads the authorities of a file that issue the certificates of clients.
///
/// # Errors
///
/// Fails as [`authorities`], and if one of them may issue no certificates.
pub fn issuing_authorities(file: &Path) -> Result<Authorities, CertificateFault> {
    for certificate in certificates(file)? {
        chain::check_authority(&certificate.der)
            .map_err(|fault| fault.in_line(certificate.line))?;
    }
    authorities(file)
}

/// Reads the private key of a file.
///
/// # Errors
///
/// Fails if the file cannot be read, has anything that cannot be accounted for, has no key or several,
/// or has one that is encrypted.
pub(crate) fn key(file: &Path) -> Result<PrivateKeyDer<'static>, CertificateFault> {
    let (found, kinds) = read(file)?;
    let mut keys = found.iter().filter_map(|section| match section.kind {
        Kind::Key(form) => Some((form, section)),
        _ => None,
    });
    let Some((form, key)) = keys.next() else {
        return Err(CertificateFault::NoKey(kinds));
    };
    if let Some((_, second)) = keys.next() {
        return Err(CertificateFault::SeveralKeys(key.line()).in_line(second.line()));
    }
    // The traditional format says in its headers that a key is encrypted.
    if key.section.is_encrypted {
        return Err(CertificateFault::EncryptedKey.in_line(key.line()));
    }
    let content = key.content().to_vec();
    match form {
        KeyForm::Encrypted => Err(CertificateFault::EncryptedKey.in_line(key.line())),
        KeyForm::Pkcs1 => Ok(PrivatePkcs1KeyDer::from(content).into()),
        KeyForm::Pkcs8 => Ok(PrivatePkcs8KeyDer::from(content).into()),
        KeyForm::Sec1 => Ok(PrivateSec1KeyDer::from(content).into()),
    }
}

/// Reads the lists of revoked certificates of a file.
///
/// # Errors
///
/// Fails if the file cannot be read, has anything that cannot be accounted for, or has no list.
pub(crate) fn revocation_lists(
    file: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, CertificateFault> {
    let (found, kinds) = read(file)?;
    let mut lists = Vec::new();
    for section in found
        .iter()
        .filter(|section| section.kind == Kind::RevocationList)
    {
        match CertificateRevocationList::from_der(section.content()) {
            Ok(([], _)) => lists.push(section.content().to_vec().into()),
            _ => return Err(CertificateFault::MalformedList.in_line(section.line())),
        }
    }
    match lists.is_empty() {
        true => Err(CertificateFault::NoRevocationList(kinds)),
        false => Ok(lists),
    }
}

/// A section of a known kind.
struct KnownSection {
    kind: Kind,
    section: Section,
}

impl KnownSection {
    const fn line(&self) -> usize {
        self.section.line
    }

    fn content(&self) -> &[u8] {
        &self.section.content
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Certificate,
    Key(KeyForm),
    /// What `openssl ecparam` and `dhparam` write. ECDHE and the keys themselves make it superfluous.
    Parameters,
    RevocationList,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyForm {
    Encrypted,
    Pkcs1,
    Pkcs8,
    Sec1,
}

impl Kind {
    fn of(label: &str) -> Result<Self, CertificateFault> {
        Ok(match label {
            "CERTIFICATE" | "X509 CERTIFICATE" => Self::Certificate,
            "PRIVATE KEY" => Self::Key(KeyForm::Pkcs8),
            "RSA PRIVATE KEY" => Self::Key(KeyForm::Pkcs1),
            "EC PRIVATE KEY" => Self::Key(KeyForm::Sec1),
            "ENCRYPTED PRIVATE KEY" => Self::Key(KeyForm::Encrypted),
            "EC PARAMETERS" | "DH PARAMETERS" | "X9.42 DH PARAMETERS" => Self::Parameters,
            "X509 CRL" => Self::RevocationList,
            // It has settings of OpenSSL behind the certificate, which would be ignored.
            "TRUSTED CERTIFICATE" => return Err(CertificateFault::TrustedCertificate),
            other => return Err(CertificateFault::UnknownSection(other.to_owned())),
        })
    }
}

/// Reads the sections of a file, and names their kinds for operators.
fn read(file: &Path) -> Result<(Vec<KnownSection>, String), CertificateFault> {
    // Any of these files may have a key.
    let text = Zeroizing::new(read_limited(file, MAX_TEXT)?);
    if text.trim_ascii().is_empty() {
        return Err(CertificateFault::Empty);
    }
    let mut found = Vec::new();
    let mut kinds: Vec<String> = Vec::new();
    for section in sections(&text)? {
        let kind = Kind::of(&section.label).map_err(|fault| fault.in_line(section.line))?;
        if !kinds.contains(&section.label) {
            kinds.push(section.label.clone());
        }
        found.push(KnownSection { kind, section });
    }
    let kinds = match (found.is_empty(), text.first()) {
        (false, _) => kinds.join(", "),
        // The tag of a SEQUENCE, with which certificates and keys begin.
        (true, Some(0x30)) if text.contains(&0) => {
            "DER; `openssl x509 -inform DER` converts it".into()
        }
        (true, _) => "something else".into(),
    };
    Ok((found, kinds))
}
