//! TLS for clients, and the certificates of the gateway.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::value::{Setting, one_of};

/// Encryption of the sessions of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// STARTTLS is neither offered nor accepted.
    #[default]
    Off,
    /// A client may use STARTTLS (RFC 3207).
    Optional,
    /// Mail is refused before STARTTLS.
    Required,
    /// The handshake comes before the banner (RFC 8314 §3.3).
    Implicit,
}

impl Setting for TlsMode {
    const ALLOWED: &'static str = r#""off", "optional", "required" or "implicit""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(
            value,
            &[
                ("off", Self::Off),
                ("optional", Self::Optional),
                ("required", Self::Required),
                ("implicit", Self::Implicit),
            ],
        )
    }
}

/// The versions of TLS of a listener. Versions below 1.2 are not supported (RFC 8996).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsProfile {
    /// Versions 1.2 and 1.3. In version 1.2, only cipher suites with forward secrecy and
    /// authenticated encryption.
    #[default]
    Compatible,
    /// Version 1.3 only.
    Modern,
}

impl Setting for TlsProfile {
    const ALLOWED: &'static str = r#""compatible" or "modern""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(
            value,
            &[("compatible", Self::Compatible), ("modern", Self::Modern)],
        )
    }
}

/// Certificates of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Clients are not asked for a certificate.
    #[default]
    Off,
    /// Clients are asked for a certificate. The handshake succeeds with an untrusted one, which
    /// plugins can tell.
    Optional,
    /// The handshake fails without a trusted certificate.
    Required,
}

impl Setting for ClientCertificates {
    const ALLOWED: &'static str = r#""off", "optional" or "required""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(
            value,
            &[
                ("off", Self::Off),
                ("optional", Self::Optional),
                ("required", Self::Required),
            ],
        )
    }
}

/// The files of a certificate and its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The name in logs and in the setting `certificates` of a listener.
    pub name: String,
    /// The PEM file of the certificate and its intermediate certificates.
    pub chain: PathBuf,
    /// The PEM file of the private key, which may be the same.
    pub key: PathBuf,
}

/// The TLS settings of all listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The names in the self-signed certificate. If empty, the host name and the names and
    /// addresses of the listeners.
    pub self_signed_names: Vec<String>,
    /// The validity of the self-signed certificate in days, above 0.
    pub self_signed_days: u32,
    /// The interval of checks for changed certificate files; 0 if they are not checked.
    pub rescan: Duration,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            self_signed_names: Vec::new(),
            self_signed_days: 90,
            rescan: Duration::from_mins(1),
        }
    }
}
