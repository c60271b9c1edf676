//! The self-signed certificate of a gateway without a configured certificate. It is for tests only.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use postgate_config::{Config, Listener, TlsMode};
use postgate_tls::{Certificate, CertificateFacts, CertificateFault, crypto_provider};

/// Why a self-signed certificate cannot be generated.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// The generated certificate cannot be parsed.
    #[error("cannot use the self-signed certificate: {0}")]
    Certificate(#[source] CertificateFault),
    /// A configured name is not allowed in a certificate, or the system has no random numbers.
    #[error("cannot make a self-signed certificate: {0}; see tls.self-signed-names")]
    Generate(#[from] rcgen::Error),
    /// The TLS library rejects the generated key.
    #[error("cannot use the self-signed certificate: {0}")]
    Key(#[source] rustls::Error),
}

/// Generates a certificate for the names of this gateway, see [`names`].
pub(super) fn generate(config: &Config) -> Result<Certificate, SelfSignedError> {
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
    // A client whose clock is slow must not find that the certificate is not valid yet.
    let since_epoch =
        Duration::from_secs(u64::try_from(now).unwrap_or(0)).saturating_sub(ALLOWANCE);
    parameters.not_before = date_time_ymd(1970, 1, 1) + since_epoch;
    let days = u64::from(config.tls.self_signed_days);
    parameters.not_after = parameters.not_before + Duration::from_hours(24 * days);
    let made = parameters.self_signed(&key)?;
    let facts = CertificateFacts::of(made.der()).map_err(SelfSignedError::Certificate)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = CertifiedKey::from_der(vec![made.der().clone()], key, &crypto_provider())
        .map_err(SelfSignedError::Key)?;
    Ok(Certificate {
        name: "self-signed".to_owned(),
        facts,
        is_self_signed: true,
        key: key.into(),
    })
}

/// Returns the names for the certificate: those of `tls.self-signed-names`, or else the host name of
/// the gateway, and the host names and addresses of the listeners with TLS.
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

/// The tolerated difference between the clocks of gateway and client.
const ALLOWANCE: Duration = Duration::from_mins(5);
