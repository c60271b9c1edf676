//! TLS with clients: which certificates they are shown, which they show, and the handshake; and with
//! backends (`backend`).
//!
//! [`Store`] reads everything and checks it before anything is bound, and again when it is told to;
//! what it found good takes the place of the old as a whole. Each listener has its `ListenerTls`,
//! which a session asks once, for its handshake, so that a session keeps what it began with.

mod choice;
mod client;
mod handshake;
mod listing;
mod renewal;
mod self_signed;
mod store;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;

pub(crate) use self::handshake::Encrypted;
pub use self::handshake::HandshakeError;
pub use self::listing::{CertificateListing, CertificateState, ShownAt};
pub(crate) use self::renewal::{tell, watch as watch_files};
pub use self::self_signed::SelfSignedError;
pub use self::store::{Store, TlsError};

use self::choice::Choice;
use self::client::Clients;
use crate::shutdown::{Phase, Shutdown};
use postgate_config::{Listener, TlsProfile};
use postgate_tls::{Certificate, crypto_provider};

/// The TLS of one listener.
#[derive(Debug)]
pub(crate) struct ListenerTls {
    terms: ArcSwap<Terms>,
    /// Outlives a reload, so that sessions can be resumed after it. It is this listener's alone:
    /// a session of one that asks for no certificate must not be resumed at one that does.
    tickets: Arc<dyn ProducesTickets>,
}

/// What holds for a handshake.
#[derive(Debug)]
struct Terms {
    config: Arc<ServerConfig>,
    clients: Option<Arc<Clients>>,
    patience: Duration,
    certificates: Vec<Certificate>,
}

impl ListenerTls {
    fn new(listener: &Listener, certificates: Vec<Certificate>) -> Result<Self, TlsError> {
        let tickets = Ticketer::new().map_err(|error| TlsError::Setup {
            listener: listener.name.clone(),
            error,
        })?;
        let terms = Terms::load(listener, certificates, &tickets)?;
        Ok(Self {
            terms: ArcSwap::from_pointee(terms),
            tickets,
        })
    }

    /// Encrypts a session. `early` is what was already read of the handshake.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        early: &[u8],
        shutdown: &mut Shutdown,
    ) -> Result<Encrypted, HandshakeError> {
        let terms = self.terms.load_full();
        tokio::select! {
            biased;
            () = shutdown.reached(Phase::Stopping) => Err(HandshakeError::Stopping),
            accepted = handshake::accept(&terms, stream, early) => accepted,
        }
    }
}

impl Terms {
    fn load(
        listener: &Listener,
        certificates: Vec<Certificate>,
        tickets: &Arc<dyn ProducesTickets>,
    ) -> Result<Self, TlsError> {
        let clients = Clients::load(listener)?;
        Self::new(listener, certificates, clients, tickets).map_err(|error| TlsError::Setup {
            listener: listener.name.clone(),
            error,
        })
    }

    /// Protocols (ALPN) are not agreed on, since none is registered for SMTP: what a client offers
    /// is passed over, as RFC 7301 section 3.2 lets a server do that knows nothing of them.
    fn new(
        listener: &Listener,
        certificates: Vec<Certificate>,
        clients: Option<Clients>,
        tickets: &Arc<dyn ProducesTickets>,
    ) -> Result<Self, rustls::Error> {
        let versions = match listener.tls_profile {
            TlsProfile::Compatible => &[&TLS13, &TLS12][..],
            TlsProfile::Modern => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(crypto_provider())
            .with_protocol_versions(versions)?;
        let clients = clients.map(Arc::new);
        let builder = match &clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients) as _),
            None => builder.with_no_client_auth(),
        };
        let choice = Choice::new(certificates.clone());
        let mut config = builder.with_cert_resolver(Arc::new(choice));
        config.ticketer = Arc::clone(tickets);
        Ok(Self {
            config: Arc::new(config),
            clients,
            patience: listener.limits.tls_timeout,
            certificates,
        })
    }
}

/// Whether clients would notice a difference.
impl PartialEq for Terms {
    fn eq(&self, other: &Self) -> bool {
        let chains = |terms: &Self| -> Vec<_> {
            let certificates = terms.certificates.iter();
            certificates
                .map(|certificate| certificate.key.cert.clone())
                .collect()
        };
        chains(self) == chains(other) && self.clients == other.clients
    }
}

#[cfg(test)]
mod tests;
