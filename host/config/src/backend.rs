//! The mail store behind the gateway, and how the gateway shows itself to it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use postgate_proto::address::Charset;
use toml::de::DeValue;

use super::BackendAddress;
use super::value::{Setting, is_domain, one_of};

/// The mail store behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The name in logs.
    pub name: String,
    /// Where it is and what it speaks.
    pub address: BackendAddress,
    /// How connections to it are encrypted. Nothing: they are not.
    pub tls: Option<BackendTls>,
    /// Who the gateway is to it. Nothing: it does not say.
    pub login: Option<BackendLogin>,
    /// How long to wait for a connection, for its banner, and for a TLS handshake.
    pub connect_timeout: Duration,
    /// How long to wait for the reply to a command.
    pub command_timeout: Duration,
    /// How long to wait for the reply to a whole message.
    pub data_timeout: Duration,
    /// The most unused connections that are kept open.
    pub max_idle: u32,
    /// How long an unused connection is kept open.
    pub idle_timeout: Duration,
}

/// How connections to a backend are encrypted. None is ever used that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendTls {
    /// When.
    pub start: TlsStart,
    /// The name that the backend is asked for (SNI), and that its certificate must have: a host name
    /// or an IP address.
    pub name: String,
    /// The lowest version of TLS that is spoken.
    pub minimum: TlsVersion,
    /// Whose word is taken for the backend's certificate.
    pub trust: BackendTrust,
    /// The certificate that the backend is shown where it asks for one.
    pub certificate: Option<BackendCertificate>,
}

/// When the connection to a backend is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsStart {
    /// From its first octet on (RFC 8314 §3.3).
    Implicit,
    /// After STARTTLS (RFC 3207), before anything else.
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

/// Whose word is taken for the certificate of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendTrust {
    /// Any certificate does: whoever stands in between can read and change the mail.
    Anybody,
    /// That of certificate authorities.
    Authorities {
        /// The file of them, in PEM, which may hold the certificate of the backend itself. Nothing:
        /// those of the system.
        file: Option<PathBuf>,
        /// The file of the lists of certificates that they have revoked, in PEM.
        revoked: Option<PathBuf>,
    },
}

/// A certificate that a backend is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendCertificate {
    /// The file of the certificate and of those that lead to its root, in PEM.
    pub chain: PathBuf,
    /// The file of the private key, in PEM; it may be the same one.
    pub key: PathBuf,
}

/// Who the gateway is to a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendLogin {
    /// The user name.
    pub username: String,
    /// The file whose first and only line is the password.
    pub password_file: PathBuf,
}

/// The key `tls` of a backend.
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

/// A name that a certificate can have.
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
