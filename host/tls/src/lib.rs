//! Certificates, keys and authorities from files, and watching those files: the part of TLS that
//! listeners and backends share.
//!
//! [`Certificate`] is a certificate of the gateway, checked together with its key; [`backend`]
//! makes the client side of connections to backends; [`FileChanges`] reports that files may have
//! changed.

pub mod backend;
mod certificate;
mod chain;
mod error;
mod file_changes;
pub mod pem;
mod printable;
mod provider;
mod reload;
mod sections;

pub use self::backend::BackendTlsError;
pub use self::certificate::{Certificate, CertificateFacts};
pub use self::error::{CertificateError, CertificateFault};
pub use self::file_changes::FileChanges;
pub use self::provider::crypto_provider;
pub use self::reload::Reloaded;
pub use self::sections::{PemError, PemFault};
