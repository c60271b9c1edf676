//! The backend that accepted mail is delivered to.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use postgate_proto::address::Charset;
use postgate_proto::client::Extension;
use toml::de::DeValue;

use super::address::BackendAddress;
use super::value::{Setting, is_domain, one_of};

/// The backend that accepted mail is delivered to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The name in logs.
    pub name: String,
    /// The protocol and address.
    pub address: BackendAddress,
    /// Extensions that are not used, even if the backend offers them.
    pub unused_extensions: Vec<Extension>,
    /// Encryption of connections. If `None`, they are not encrypted.
    pub tls: Option<BackendTls>,
    /// The credentials for AUTH. If `None`, the gateway does not authenticate.
    pub login: Option<BackendLogin>,
    /// The time limit for each of a connection, its banner and a TLS handshake.
    pub connect_timeout: Duration,
    /// The time limit for the reply to a command.
    pub command_timeout: Duration,
    /// The time limit for the reply to a message.
    pub data_timeout: Duration,
    /// The most idle connections in the pool.
    pub max_idle: u32,
    /// The time after which an idle connection is closed.
    pub idle_timeout: Duration,
}

/// Encryption of connections to a backend. A connection that cannot be encrypted is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendTls {
    /// When the handshake takes place.
    pub start: TlsStart,
    /// The host name or IP address that the certificate must have. A host name is also sent in SNI.
    pub name: String,
    /// The lowest version of TLS.
    pub minimum: TlsVersion,
    /// Verification of the backend's certificate.
    pub trust: BackendTrust,
    /// The client certificate, if the backend asks for one.
    pub certificate: Option<BackendCertificate>,
}

/// When the TLS handshake with a backend takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsStart {
    /// Before the banner (RFC 8314 §3.3).
    Implicit,
    /// After STARTTLS (RFC 3207), before credentials and mail.
    StartTls,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// Version 1.2 (RFC 5246).
    #[default]
    V1_2,
    /// Version 1.3 (RFC 8446).
    V1_3,
}

impl Setting for TlsVersion {
    const ALLOWED: &'static str = r#""1.2" or "1.3""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(value, &[("1.2", Self::V1_2), ("1.3", Self::V1_3)])
    }
}

/// Verification of a backend's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendTrust {
    /// Any certificate is accepted, which allows an attacker in the network to read and change
    /// mail.
    Anybody,
    /// The certificate must be issued by a trusted authority.
    Authorities {
        /// The PEM file of authorities, which may contain the certificate of the backend itself. If
        /// `None`, the authorities of the system.
        file: Option<PathBuf>,
        /// The PEM file of certificate revocation lists.
        revoked: Option<PathBuf>,
    },
}

/// The client certificate for a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendCertificate {
    /// The PEM file of the certificate and its intermediate certificates.
    pub chain: PathBuf,
    /// The PEM file of the private key, which may be the same.
    pub key: PathBuf,
}

/// The credentials of the gateway at a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendLogin {
    /// The user name.
    pub username: String,
    /// The file that contains the password in its only line.
    pub password_file: PathBuf,
}

/// The value of the key `tls` of a backend.
#[derive(Clone, Copy)]
pub(super) enum TlsChoice {
    Off,
    On(TlsStart),
}

impl Setting for TlsChoice {
    const ALLOWED: &'static str = r#""off", "starttls" or "implicit""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(
            value,
            &[
                ("off", Self::Off),
                ("starttls", Self::On(TlsStart::StartTls)),
                ("implicit", Self::On(TlsStart::Implicit)),
            ],
        )
    }
}

/// A name that a certificate can have: a host name or an IP address.
pub(super) struct CertificateName(pub(super) String);

impl Setting for CertificateName {
    const ALLOWED: &'static str =
        r#"a host name such as "mail.example.org", or an IP address such as "192.0.2.1""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let name = value.as_str()?;
        let is_name = !name.starts_with('[') && is_domain(name, Charset::Ascii);
        (is_name || name.parse::<IpAddr>().is_ok()).then(|| Self(name.to_owned()))
    }
}
