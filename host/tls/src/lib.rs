//! Certificates, keys and authorities from files, and watching those files: what listeners and
//! backends share of TLS.
//!
//! [`Certificate`] is what the gateway shows, checked together with its key; [`backend`] makes the
//! client side of connections to backends; [`Changes`] reports that files may have changed.

pub mod backend;
mod certificate;
mod changes;
mod error;
pub mod pem;

pub use self::backend::BackendTlsError;
pub use self::certificate::{Certificate, Facts, provider, together};
pub use self::changes::Changes;
pub use self::error::{CertificateError, CertificateFault};

/// The result of reading files again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// New connections use something else from now on.
    Changed,
    /// The files contain what they contained before.
    Same,
}
