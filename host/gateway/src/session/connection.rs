//! The transport of a session over a client's TCP connection.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::stream::Stream;
use super::transport::{ReadOutcome, Transport, Upgraded};
use crate::shutdown::Shutdown;
use crate::tls::{HandshakeError, ListenerTls};

/// The transport over a client's TCP connection.
pub(crate) struct ClientConnection {
    stream: Stream,
    /// The TLS for STARTTLS; `None` if it is not offered.
    tls: Option<Arc<ListenerTls>>,
}

impl ClientConnection {
    pub(crate) const fn new(stream: Stream, tls: Option<Arc<ListenerTls>>) -> Self {
        Self { stream, tls }
    }
}

impl Transport for ClientConnection {
    async fn read(&mut self, buffer: &mut Vec<u8>, deadline: Instant) -> io::Result<ReadOutcome> {
        match timeout_at(deadline, self.stream.read_buf(buffer)).await {
            Err(_) => Ok(ReadOutcome::TimedOut),
            Ok(count) => Ok(match count? {
                0 => ReadOutcome::Closed,
                _ => ReadOutcome::Octets,
            }),
        }
    }

    async fn left(&self) {
        self.stream.left().await;
    }

    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.send(octets).await
    }

    async fn start_tls(self, shutdown: &mut Shutdown) -> Result<Upgraded<Self>, HandshakeError> {
        let (Stream::Plain(stream), Some(tls)) = (self.stream, &self.tls) else {
            // Unreachable: the session starts TLS once only, and only if it was offered.
            return Err(HandshakeError::Closed);
        };
        let encrypted = tls.accept(stream, &[], shutdown).await?;
        Ok(Upgraded {
            transport: Self {
                stream: Stream::Tls(encrypted.stream),
                tls: self.tls,
            },
            facts: encrypted.facts,
            channel: encrypted.channel,
        })
    }

    async fn close(&mut self) {
        // The client may have closed the connection already.
        _ = self.stream.shutdown().await;
    }
}
