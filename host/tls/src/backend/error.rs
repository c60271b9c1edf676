//! Why connections to a backend cannot be encrypted.

use rustls::pki_types::InvalidDnsNameError;

use crate::error::CertificateError;

/// Why connections to a backend cannot be encrypted as configured.
#[derive(Debug, thiserror::Error)]
pub enum BackendTlsError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] CertificateError),
    /// The system has no certificate authorities.
    #[error(
        "backend {backend}: tls: this machine has no certificate authorities ({}); install \
         ca-certificates, or name the authority of the backend in `tls-ca`",
        cause.as_ref().map_or_else(|| "none was found".to_owned(), ToString::to_string)
    )]
    NoAuthorities {
        /// The name of the backend.
        backend: String,
        /// The first error of the search; `None` if nothing was found.
        #[source]
        cause: Option<rustls_native_certs::Error>,
    },
    /// The name cannot be the name of a certificate.
    #[error("backend {backend}: tls-name: {name:?} is no host name and no IP address")]
    Name {
        /// The name of the backend.
        backend: String,
        /// The name.
        name: String,
        /// The fault of the name.
        #[source]
        cause: InvalidDnsNameError,
    },
}
