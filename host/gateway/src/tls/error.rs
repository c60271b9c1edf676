//! Why the TLS of a gateway cannot be set up.

use postgate_tls::CertificateError;

use super::self_signed::SelfSignedError;

/// Why the TLS of a gateway cannot be set up. The operator has to change the configuration or a file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file with a certificate, a key or an authority cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The self-signed certificate cannot be generated.
    #[error(transparent)]
    SelfSigned(#[from] SelfSignedError),
    /// The TLS library rejects the parameters of a listener.
    #[error("listener {listener}: {error}")]
    Setup {
        /// The name of the listener.
        listener: String,
        /// The error of the TLS library.
        #[source]
        error: rustls::Error,
    },
}
