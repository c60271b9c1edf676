//! TLS: certificates, keys, and who is trusted.

pub(crate) mod backend;
mod error;
mod pem;

pub use self::backend::BackendTlsError;
pub use self::error::{CertificateError, CertificateFault};
