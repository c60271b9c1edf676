//! The parameters of TLS handshakes at a listener.

use std::sync::Arc;
use std::time::Duration;

use postgate_config::{Listener, TlsProfile};
use postgate_tls::{Certificate, crypto_provider};
use rustls::ServerConfig;
use rustls::server::ProducesTickets;
use rustls::version::{TLS12, TLS13};

use super::client_verifier::ClientVerifier;
use super::error::TlsError;
use super::resolver::CertificateResolver;

/// The parameters of TLS handshakes at a listener. A reload replaces them as a whole.
#[derive(Debug)]
pub(super) struct HandshakeParameters {
    pub(super) config: Arc<ServerConfig>,
    /// Verifies client certificates; `None` if the listener does not request any.
    pub(super) client_verifier: Option<Arc<ClientVerifier>>,
    /// The time limit of a handshake.
    pub(super) timeout: Duration,
    /// The certificates of the listener, the default one first.
    pub(super) certificates: Vec<Certificate>,
}

impl HandshakeParameters {
    pub(super) fn load(
        listener: &Listener,
        certificates: Vec<Certificate>,
        tickets: &Arc<dyn ProducesTickets>,
    ) -> Result<Self, TlsError> {
        let verifier = ClientVerifier::load(listener)?;
        Self::new(listener, certificates, verifier, tickets).map_err(|error| TlsError::Setup {
            listener: listener.name.clone(),
            error,
        })
    }

    /// ALPN is not negotiated, because no protocol name is registered for SMTP. A server without
    /// support for ALPN ignores the extension (RFC 7301 section 3.2).
    fn new(
        listener: &Listener,
        certificates: Vec<Certificate>,
        verifier: Option<ClientVerifier>,
        tickets: &Arc<dyn ProducesTickets>,
    ) -> Result<Self, rustls::Error> {
        let versions = match listener.tls_profile {
            TlsProfile::Compatible => &[&TLS13, &TLS12][..],
            TlsProfile::Modern => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(crypto_provider())
            .with_protocol_versions(versions)?;
        let client_verifier = verifier.map(Arc::new);
        let builder = match &client_verifier {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier) as _),
            None => builder.with_no_client_auth(),
        };
        let resolver = CertificateResolver::new(certificates.clone());
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.ticketer = Arc::clone(tickets);
        Ok(Self {
            config: Arc::new(config),
            client_verifier,
            timeout: listener.limits.tls_timeout,
            certificates,
        })
    }
}

/// Compares what clients can observe: the certificate chains and the verification of client
/// certificates.
impl PartialEq for HandshakeParameters {
    fn eq(&self, other: &Self) -> bool {
        let chains = |parameters: &Self| -> Vec<_> {
            let certificates = parameters.certificates.iter();
            certificates
                .map(|certificate| certificate.key.cert.clone())
                .collect()
        };
        chains(self) == chains(other) && self.client_verifier == other.client_verifier
    }
}
