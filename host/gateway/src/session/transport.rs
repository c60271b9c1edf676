//! What carries the octets of a session.

use std::future::Future;
use std::io;

use postgate_proto::session::Channel;
use postgate_runtime::context::TlsFacts;
use tokio::time::Instant;

use crate::shutdown::Shutdown;
use crate::tls::HandshakeError;

/// Carries the octets of a session, in both directions.
pub trait Transport: Sized + Send {
    /// Appends received octets to a buffer that has room for them, until a deadline.
    ///
    /// # Errors
    ///
    /// Fails if the connection is broken.
    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> impl Future<Output = io::Result<Received>> + Send;

    /// Sends all octets.
    ///
    /// # Errors
    ///
    /// Fails if the connection is broken.
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// Carries out the TLS handshake. The transport is gone if it fails.
    ///
    /// # Errors
    ///
    /// Fails if the handshake does.
    fn start_tls(
        self,
        shutdown: &mut Shutdown,
    ) -> impl Future<Output = Result<Upgraded<Self>, HandshakeError>> + Send;

    /// Closes the connection; the client may be gone already.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// The result of waiting for octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The client has closed the connection.
    Closed,
    /// Octets were appended.
    Octets,
    /// The deadline has passed.
    TimedOut,
}

/// A transport after the TLS handshake.
#[derive(Debug)]
pub struct Upgraded<T> {
    /// The encrypted transport.
    pub transport: T,
    /// What plugins and the log are told.
    pub facts: TlsFacts,
    /// What the protocol needs to know.
    pub channel: Channel,
}
