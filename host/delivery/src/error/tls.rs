//! Why a connection to a backend could not be encrypted.

use std::io;

use postgate_proto::reply::Refusal;
use rustls::{AlertDescription, CertificateError, Error};

/// Why a connection to a backend could not be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsFailure {
    /// The connection was closed or reset.
    #[error("the connection broke in the TLS handshake: {0}")]
    Broken(#[source] io::Error),
    /// The backend's certificate cannot be verified. The fault of the backend, of the
    /// configuration, or of a man in the middle.
    #[error("the certificate of the backend is not good: {0}")]
    Certificate(CertificateError),
    /// The backend rejects the gateway's certificate, or asks for one that the gateway does not
    /// have.
    #[error("the backend does not take the certificate of the gateway: {}", alert(*.0))]
    Identity(AlertDescription),
    /// The backend does not offer STARTTLS, or a man in the middle has removed the offer.
    #[error("the backend does not offer STARTTLS, and without TLS nothing is sent to it")]
    NotOffered,
    /// The backend does not speak TLS, or no version that the gateway accepts.
    #[error("the TLS handshake with the backend failed: {0}")]
    Protocol(#[source] Error),
    /// The backend offers STARTTLS, but refuses the command.
    #[error("the backend refused STARTTLS: {}", .0.reply())]
    Refused(Refusal),
    /// The backend did not complete the handshake in time.
    #[error("the backend took too long in the TLS handshake")]
    Timeout,
}

impl TlsFailure {
    /// The TLS fault behind an I/O error. Returns `None` if the error does not come from TLS.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        let error: &Error = error.get_ref()?.downcast_ref()?;
        Some(match error {
            Error::AlertReceived(alert) if is_about_identity(*alert) => Self::Identity(*alert),
            Error::InvalidCertificate(fault) => Self::Certificate(fault.clone()),
            error => Self::Protocol(error.clone()),
        })
    }
}

/// True if a server sends this alert because of its client's certificate.
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
