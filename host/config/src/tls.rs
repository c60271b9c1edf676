//! How clients can encrypt a session, and the certificates that the gateway shows them.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::value::{Setting, one_of};

/// What a listener does about encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// STARTTLS is neither offered nor taken.
    #[default]
    Off,
    /// A client may say STARTTLS (RFC 3207).
    Optional,
    /// No mail before STARTTLS.
    Required,
    /// The handshake comes before the banner (RFC 8314 section 3.3).
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

/// Which versions of TLS a listener speaks. Nothing below version 1.2 can be had (RFC 8996).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsProfile {
    /// Versions 1.2, with forward secrecy and authenticated encryption only, and 1.3.
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

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not.
    #[default]
    Off,
    /// They are asked for one. One that is not trusted does no harm; plugins see that it is not.
    Optional,
    /// Without one that is trusted the handshake fails.
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

/// Where a certificate is, and the key to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The name in logs and in [`Listener::certificates`](super::Listener::certificates).
    pub name: String,
    /// The file of the certificate and of those that lead to its root, in PEM.
    pub chain: PathBuf,
    /// The file of the private key, in PEM; it may be the same one.
    pub key: PathBuf,
}

/// What concerns the TLS of all listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The names of the self-signed certificate. None: the host name, and the names and addresses
    /// of the listeners.
    pub self_signed_names: Vec<String>,
    /// How long the self-signed certificate is valid, in days from the start; above 0.
    pub self_signed_days: u32,
    /// How often the files of certificates are looked at; zero for never.
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
