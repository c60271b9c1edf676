//! The TLS of one listener.

use std::sync::Arc;

use arc_swap::ArcSwap;
use postgate_config::Listener;
use postgate_tls::Certificate;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use tokio::net::TcpStream;

use super::error::TlsError;
use super::handshake::{self, EncryptedConnection, HandshakeError};
use super::parameters::HandshakeParameters;
use crate::shutdown::{Shutdown, ShutdownPhase};

/// The TLS of one listener.
#[derive(Debug)]
pub(crate) struct ListenerTls {
    pub(super) parameters: ArcSwap<HandshakeParameters>,
    /// Issues session tickets. It outlives a reload, so that clients can still resume sessions. It is
    /// not shared between listeners: a session that began without a client certificate must not be
    /// resumed at a listener that requires one.
    pub(super) tickets: Arc<dyn ProducesTickets>,
}

impl ListenerTls {
    pub(super) fn new(
        listener: &Listener,
        certificates: Vec<Certificate>,
    ) -> Result<Self, TlsError> {
        let tickets = Ticketer::new().map_err(|error| TlsError::Setup {
            listener: listener.name.clone(),
            error,
        })?;
        let parameters = HandshakeParameters::load(listener, certificates, &tickets)?;
        Ok(Self {
            parameters: ArcSwap::from_pointee(parameters),
            tickets,
        })
    }

    /// Performs the server side of the handshake. `early` has the octets of the handshake that were
    /// already read from the stream.
    ///
    /// # Errors
    ///
    /// Fails if the handshake does, and when the gateway stops before its end.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        early: &[u8],
        shutdown: &mut Shutdown,
    ) -> Result<EncryptedConnection, HandshakeError> {
        let parameters = self.parameters.load_full();
        tokio::select! {
            biased;
            () = shutdown.reached(ShutdownPhase::Stopping) => Err(HandshakeError::Stopping),
            accepted = handshake::accept(&parameters, stream, early) => accepted,
        }
    }
}
