//! The certificate that is made where the operator has none: good for tests, and for nothing else.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use postgate_config::{Config, Listener, TlsMode};
use postgate_tls::{Certificate, CertificateFacts, crypto_provider};

/// Why no certificate can be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// A name cannot stand in a certificate, or there are no random numbers.
    #[error("cannot make a self-signed certificate: {0}; see tls.self-signed-names")]
    Make(#[from] rcgen::Error),
    /// What was made cannot be used.
    #[error("cannot use the self-signed certificate: {0}")]
    Use(String),
}

/// Makes a certificate for the names that clients may know this gateway by.
pub(super) fn make(config: &Config) -> Result<Certificate, SelfSignedError> {
    let names = names(config);
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(names.clone())?;
    parameters.distinguished_name = DistinguishedName::new();
    let common_name = names.first().map_or("postgate", String::as_str);
    parameters
        .distinguished_name
        .push(DnType::CommonName, common_name);
    parameters
        .distinguished_name
        .push(DnType::OrganizationName, "Postgate self-signed, for tests");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = Timestamp::now().as_second();
    // A clock that is a little behind must not make the certificate one of the future.
    let since_epoch =
        Duration::from_secs(u64::try_from(now).unwrap_or(0)).saturating_sub(ALLOWANCE);
    parameters.not_before = date_time_ymd(1970, 1, 1) + since_epoch;
    let days = u64::from(config.tls.self_signed_days);
    parameters.not_after = parameters.not_before + Duration::from_hours(24 * days);
    let made = parameters.self_signed(&key)?;
    let facts = CertificateFacts::of(made.der())
        .map_err(|fault| SelfSignedError::Use(fault.to_string()))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = CertifiedKey::from_der(vec![made.der().clone()], key, &crypto_provider())
        .map_err(|error| SelfSignedError::Use(error.to_string()))?;
    Ok(Certificate {
        name: "self-signed".to_owned(),
        facts,
        is_self_signed: true,
        key: key.into(),
    })
}

/// The names in the certificate: what the operator says, or else the host name, and what the
/// listeners with TLS are called and listen on.
fn names(config: &Config) -> Vec<String> {
    if !config.tls.self_signed_names.is_empty() {
        return config.tls.self_signed_names.clone();
    }
    let hostname = config
        .hostname
        .trim_start_matches('[')
        .trim_end_matches(']');
    let hostname = hostname.strip_prefix("IPv6:").unwrap_or(hostname);
    let mut names = vec![hostname.to_owned()];
    let listeners = config.listeners.iter();
    for listener in listeners.filter(|listener| listener.tls != TlsMode::Off) {
        names.extend(names_of(listener));
    }
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn names_of(listener: &Listener) -> impl Iterator<Item = String> {
    let ip = listener.address.ip();
    let host = listener.host.clone();
    host.into_iter()
        .chain((!ip.is_unspecified()).then(|| ip.to_string()))
}

/// How long before the start a certificate is valid already.
const ALLOWANCE: Duration = Duration::from_mins(5);
