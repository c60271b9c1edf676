//! TLS for clients: the certificates of listeners, verification of client certificates, and the
//! handshake. TLS for backends is in `postgate_delivery`.
//!
//! [`CertificateStore`] reads and checks all files before a listener is bound, and again on reload. A
//! reload replaces everything or nothing. Each listener has a `ListenerTls`, from which a session
//! takes its parameters once, at its handshake. A reload therefore does not change open sessions.

mod certificate_log;
mod client_verifier;
mod error;
mod handshake;
mod listener;
mod listing;
mod parameters;
mod renewal;
mod resolver;
mod self_signed;
mod store;

pub use self::error::TlsError;
pub use self::handshake::HandshakeError;
pub(crate) use self::listener::ListenerTls;
pub use self::listing::{CertificateListing, CertificateState, ListenerCertificates};
pub(crate) use self::renewal::{log_reload, watch as watch_files};
pub use self::self_signed::SelfSignedError;
pub use self::store::CertificateStore;

#[cfg(test)]
mod tests;
