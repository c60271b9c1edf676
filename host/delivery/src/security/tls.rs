//! The client side of TLS for connections to one backend.

use std::fmt;
use std::sync::Arc;

use postgate_config::{Backend, BackendTls, BackendTrust, TlsStart};
use postgate_tls::BackendTlsError;
use postgate_tls::backend::{client_config, server_name};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tracing::warn;

/// How connections to one backend are encrypted. They share the secrets that resume TLS sessions,
/// and no other connections have them.
pub(crate) struct ClientTls {
    pub(crate) start: TlsStart,
    pub(crate) name: ServerName<'static>,
    pub(crate) connector: TlsConnector,
    pub(crate) is_verified: bool,
}

impl ClientTls {
    pub(super) fn new(backend: &Backend, tls: &BackendTls) -> Result<Self, BackendTlsError> {
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
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("start", &self.start)
            .field("name", &self.name)
            .field("is_verified", &self.is_verified)
            .finish_non_exhaustive()
    }
}
