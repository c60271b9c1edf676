//! Certificates, keys and authorities from files, and watching those files: the part of TLS that
//! listeners and backends share.
//!
//! [`Certificate`] is a certificate of the gateway, checked together with its key; [`backend`]
//! makes the client side of connections to backends; [`FileChanges`] reports that files may have
//! changed.

pub mod backend;
mod certificate;
mod error;
mod file_changes;
pub mod pem;
mod reload;

pub use self::backend::BackendTlsError;
pub use self::certificate::{Certificate, CertificateFacts, certified_key, crypto_provider};
pub use self::error::{CertificateError, CertificateFault};
pub use self::file_changes::FileChanges;
pub use self::reload::Reloaded;
