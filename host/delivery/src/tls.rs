//! TLS on connections to a backend, and what can go wrong with it.

use std::io;
use std::sync::Arc;

use postgate_proto::reply::Refusal;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, Error};
use tokio_rustls::TlsConnector;
use tracing::warn;

use postgate_config::{Backend, BackendTls, BackendTrust, TlsStart};
use postgate_tls::BackendTlsError;
use postgate_tls::backend::{client_config, server_name};

/// How connections to one backend are encrypted. They share the secrets by which sessions are
/// resumed, and nobody else has them.
pub(crate) struct Tls {
    pub(crate) start: TlsStart,
    pub(crate) name: ServerName<'static>,
    pub(crate) connector: TlsConnector,
    pub(crate) is_verified: bool,
}

impl Tls {
    pub(crate) fn new(backend: &Backend, tls: &BackendTls) -> Result<Self, BackendTlsError> {
        let is_verified = tls.trust != BackendTrust::Anybody;
        if !is_verified {
            warn!(
                backend = backend.name,
                "tls-verify is off: whoever stands before this backend can read and change the mail"
            );
        }
        Ok(Self {
            start: tls.start,
            name: server_name(&backend.name, tls)?,
            connector: Arc::new(client_config(&backend.name, tls)?).into(),
            is_verified,
        })
    }
}

/// Hides the keys.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("start", &self.start)
            .field("name", &self.name)
            .field("is_verified", &self.is_verified)
            .finish_non_exhaustive()
    }
}

/// Why a connection to a backend could not be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsFailure {
    /// The connection broke.
    #[error("the connection broke in the TLS handshake: {0}")]
    Broken(io::Error),
    /// The backend's certificate is not one to be trusted. The fault of the backend, of the
    /// configuration, or of somebody who stands in between.
    #[error("the certificate of the backend is not good: {0}")]
    Certificate(CertificateError),
    /// The backend does not take the gateway's certificate, or misses one.
    #[error("the backend does not take the certificate of the gateway: {}", alert(*.0))]
    Identity(AlertDescription),
    /// The backend does not offer STARTTLS, or somebody in between has taken the offer away.
    #[error("the backend does not offer STARTTLS, and without TLS nothing is sent to it")]
    NotOffered,
    /// What the backend says is no TLS, or none that both sides speak.
    #[error("the TLS handshake with the backend failed: {0}")]
    Protocol(Error),
    /// The backend offers STARTTLS, but not now.
    #[error("the backend refused STARTTLS: {}", .0.reply())]
    Refused(Refusal),
    /// The backend does not answer in the handshake.
    #[error("the backend took too long in the TLS handshake")]
    Timeout,
}

impl TlsFailure {
    /// What TLS says of the failure of a connection, where it is TLS that says it.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        let error: &Error = error.get_ref()?.downcast_ref()?;
        Some(match error {
            Error::AlertReceived(alert) if is_about_identity(*alert) => Self::Identity(*alert),
            Error::InvalidCertificate(fault) => Self::Certificate(fault.clone()),
            error => Self::Protocol(error.clone()),
        })
    }
}

/// Whether an alert of a server is about the certificate of its client.
const fn is_about_identity(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate
    )
}

fn alert(alert: AlertDescription) -> String {
    format!("it says {alert:?}")
}
