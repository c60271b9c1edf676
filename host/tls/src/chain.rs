//! Whether the certificates of a chain fit together.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::alg_id::AlgorithmIdentifier;
use x509_parser::asn1_rs::{Any, FromDer as _};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name, X509Version};

use crate::error::CertificateFault;
use crate::printable::printable;
use crate::provider::crypto_provider;

/// A certificate of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileCertificate {
    /// The number of its first line.
    pub(crate) line: usize,
    pub(crate) der: CertificateDer<'static>,
}

/// Parses a certificate.
///
/// # Errors
///
/// Fails if it is malformed, or has octets behind its end.
pub(crate) fn parse<'a>(
    certificate: &'a CertificateDer<'_>,
) -> Result<X509Certificate<'a>, CertificateFault> {
    let malformed =
        |error: &dyn std::fmt::Display| CertificateFault::Malformed(error.to_string().into());
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) => Err(malformed(&"there is something behind its end")),
        Err(error) => Err(CertificateFault::Malformed(Box::new(error))),
    }
}

/// Checks that each certificate was issued by the one that follows it (RFC 8446 section 4.4.2).
///
/// # Errors
///
/// Fails with the line of the first certificate that is at the wrong place or was altered.
pub(crate) fn check(chain: &[FileCertificate]) -> Result<(), CertificateFault> {
    for pair in chain.windows(2) {
        let [issued, issuer] = pair else { continue };
        if issued.der == issuer.der {
            return Err(CertificateFault::Repeated(issued.line).in_line(issuer.line));
        }
        let (parsed, parent) = (parse(&issued.der)?, parse(&issuer.der)?);
        if !is_same(parsed.issuer(), parent.subject()) {
            let fault = CertificateFault::NotIssuer {
                subject: printable(&parent.subject().to_string()),
                issued: issued.line,
                issuer: printable(&parsed.issuer().to_string()),
            };
            return Err(fault.in_line(issuer.line));
        }
        if is_signed_with(&parsed, parent.public_key()) == Some(false) {
            return Err(CertificateFault::NotSigned(issuer.line).in_line(issued.line));
        }
    }
    match chain.last() {
        Some(last) => check_own_signature(&last.der).map_err(|fault| fault.in_line(last.line)),
        None => Ok(()),
    }
}

/// Checks the signature of a certificate that was signed with its own key. Others pass.
///
/// # Errors
///
/// Fails if the certificate is malformed or was altered.
pub(crate) fn check_own_signature(
    certificate: &CertificateDer<'_>,
) -> Result<(), CertificateFault> {
    let parsed = parse(certificate)?;
    match is_self_signed(&parsed) && is_signed_with(&parsed, parsed.public_key()) == Some(false) {
        true => Err(CertificateFault::Altered),
        false => Ok(()),
    }
}

/// Checks that a certificate may issue others (RFC 5280 section 4.2.1.9). Before version 3, certificates
/// do not say.
///
/// # Errors
///
/// Fails if the certificate is malformed or is no authority.
pub(crate) fn check_authority(certificate: &CertificateDer<'_>) -> Result<(), CertificateFault> {
    let parsed = parse(certificate)?;
    match parsed.version() == X509Version::V3 && !parsed.is_ca() {
        true => Err(CertificateFault::NoAuthority(printable(
            &parsed.subject().to_string(),
        ))),
        false => Ok(()),
    }
}

/// True if a certificate claims to be signed with its own key. The names alone do not say so: some
/// authorities issue certificates under their own name, and while an authority changes its key, it has
/// certificates of the new key, signed with the old one (RFC 4210 section 4.4.1).
fn is_self_signed(certificate: &X509Certificate<'_>) -> bool {
    let (mut of_authority, mut own) = (None, None);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                of_authority = id.key_identifier.as_ref().map(|id| id.0);
            }
            ParsedExtension::SubjectKeyIdentifier(id) => own = Some(id.0),
            _ => {}
        }
    }
    let is_of_own_key = match of_authority {
        Some(_) => of_authority == own,
        None => certificate.is_ca(),
    };
    certificate.issuer().as_raw() == certificate.subject().as_raw() && is_of_own_key
}

/// Compares names as RFC 5280 section 7.1 asks, whatever the types of their strings are.
fn is_same(one: &X509Name<'_>, other: &X509Name<'_>) -> bool {
    let normal = |name: &X509Name<'_>| {
        let text = name.to_string().to_lowercase();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    one.as_raw() == other.as_raw() || normal(one) == normal(other)
}

/// True if a certificate was signed with this key. Returns `None` if the algorithm is not supported.
fn is_signed_with(
    certificate: &X509Certificate<'_>,
    key: &SubjectPublicKeyInfo<'_>,
) -> Option<bool> {
    let (of_signature, signed) = signature_algorithms(certificate)?;
    let of_key = key_algorithm(key)?;
    // RFC 5280 section 4.1.1.2.
    if of_signature != signed {
        return Some(false);
    }
    let is = |known: AlgorithmIdentifier, algorithm: &[u8]| known.as_ref() == algorithm;
    let provider = crypto_provider();
    let mut candidates = provider
        .signature_verification_algorithms
        .all
        .iter()
        .filter(|known| {
            is(known.signature_alg_id(), of_signature) && is(known.public_key_alg_id(), of_key)
        })
        .peekable();
    candidates.peek()?;
    Some(candidates.any(|algorithm| {
        let (message, signature) = (
            certificate.tbs_certificate.as_ref(),
            &certificate.signature_value.data,
        );
        let key = &key.subject_public_key.data;
        algorithm.verify_signature(key, message, signature).is_ok()
    }))
}

/// The contents of `signatureAlgorithm` and, within what is signed, of `signature` (RFC 5280 section
/// 4.1).
fn signature_algorithms<'a>(certificate: &X509Certificate<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let (fields, _) = split(certificate.as_raw())?;
    let (signed, rest) = split(fields)?;
    let (algorithm, _) = split(rest)?;
    // The version has a tag of its own, and is missing from the first version.
    let (_, rest) = match signed.first() {
        Some(0xa0) => split(split(signed)?.1)?,
        _ => split(signed)?,
    };
    Some((algorithm, split(rest)?.0))
}

/// The content of `algorithm`, the first field of a public key (RFC 5280 section 4.1.2.7).
fn key_algorithm<'a>(key: &SubjectPublicKeyInfo<'a>) -> Option<&'a [u8]> {
    let (fields, _) = split(key.raw)?;
    Some(split(fields)?.0)
}

/// The content of the first value in DER, and what follows it.
fn split(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, value) = Any::from_der(der).ok()?;
    Some((value.data, rest))
}
