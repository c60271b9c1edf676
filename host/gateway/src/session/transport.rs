//! The transport of a session.

use std::future::Future;
use std::io;

use postgate_proto::session::Channel;
use postgate_runtime::context::TlsFacts;
use tokio::time::Instant;

use crate::shutdown::Shutdown;
use crate::tls::HandshakeError;

/// A bidirectional stream of octets that can be upgraded to TLS.
pub trait Transport: Sized + Send {
    /// Waits for octets until a deadline, and appends them to the spare capacity of a buffer.
    ///
    /// # Errors
    ///
    /// Fails if the connection does.
    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> impl Future<Output = io::Result<ReadOutcome>> + Send;

    /// Waits until the client has closed the connection, or its direction of it.
    fn left(&self) -> impl Future<Output = ()> + Send;

    /// Sends all octets.
    ///
    /// # Errors
    ///
    /// Fails if the connection does.
    fn write(&mut self, octets: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// Performs the TLS handshake.
    ///
    /// # Errors
    ///
    /// Fails if the handshake does.
    fn start_tls(
        self,
        shutdown: &mut Shutdown,
    ) -> impl Future<Output = Result<Upgraded<Self>, HandshakeError>> + Send;

    /// Closes the connection. Ignores errors, since the client may have closed it already.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// The result of [`Transport::read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
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
    /// The facts for plugins and the log.
    pub facts: TlsFacts,
    /// The facts for the protocol.
    pub channel: Channel,
}
