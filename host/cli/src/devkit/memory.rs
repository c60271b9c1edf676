//! A transport in memory, between a session and the tool that acts as its client.

use std::future::{pending, poll_fn};
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use postgate::session::{ReadOutcome, Transport, Upgraded};
use postgate::shutdown::Shutdown;
use postgate::tls::HandshakeError;
use postgate_dialog::Certificate;
use postgate_proto::session::Channel;
use tokio::time::Instant;

use super::fixture;

/// The server's end of a connection in memory.
#[derive(Debug)]
pub(super) struct MemoryTransport(Arc<Mutex<Buffers>>);

/// The client's end of a connection in memory.
#[derive(Debug)]
pub(super) struct MemoryClient(Arc<Mutex<Buffers>>);

/// The octets and events in transit.
#[derive(Debug, Default)]
struct Buffers {
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    event: Option<ClientEvent>,
    /// True while the server waits for the client.
    server_waits: bool,
}

/// An event of the client. It occurs once the server has read all octets.
#[derive(Clone, Copy, Debug)]
pub(super) enum ClientEvent {
    /// The client closes the connection.
    Close,
    /// The client performs the TLS handshake with this certificate.
    Handshake(Certificate),
    /// The client sends nothing until the time limit of the server has passed.
    Wait,
}

/// Creates a connection, and returns its ends.
pub(super) fn connection() -> (MemoryTransport, MemoryClient) {
    let buffers = Arc::new(Mutex::new(Buffers::default()));
    (MemoryTransport(Arc::clone(&buffers)), MemoryClient(buffers))
}

fn lock(buffers: &Mutex<Buffers>) -> MutexGuard<'_, Buffers> {
    // The fields are independent of each other, so a panic cannot leave them inconsistent.
    buffers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryClient {
    /// Sends octets.
    pub(super) fn send(&self, octets: &[u8]) {
        lock(&self.0).to_server.extend_from_slice(octets);
    }

    /// Sets the event that follows the octets sent so far.
    pub(super) fn set_event(&self, event: ClientEvent) {
        lock(&self.0).event = Some(event);
    }

    /// Appends the octets that the server has sent to a buffer.
    pub(super) fn receive(&self, buffer: &mut Vec<u8>) {
        buffer.append(&mut lock(&self.0).to_client);
    }

    /// Returns true if the server waits for the client.
    pub(super) fn is_awaited(&self) -> bool {
        lock(&self.0).server_waits
    }
}

impl MemoryTransport {
    /// Waits until `receive` returns a value. The future does not wake its task: the tool polls the
    /// session after each action of the client.
    async fn wait<R>(&self, mut receive: impl FnMut(&mut Buffers) -> Option<R>) -> R {
        poll_fn(|_| {
            let mut buffers = lock(&self.0);
            let received = receive(&mut buffers);
            buffers.server_waits = received.is_none();
            received.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl Transport for MemoryTransport {
    /// Ignores the deadline, since [`ClientEvent::Wait`] simulates it.
    async fn read(&mut self, buffer: &mut Vec<u8>, _: Instant) -> io::Result<ReadOutcome> {
        let received = self.wait(|buffers| {
            if !buffers.to_server.is_empty() {
                buffer.append(&mut buffers.to_server);
                return Some(ReadOutcome::Octets);
            }
            match buffers.event {
                Some(ClientEvent::Close) => Some(ReadOutcome::Closed),
                Some(ClientEvent::Wait) => {
                    buffers.event = None;
                    Some(ReadOutcome::TimedOut)
                }
                Some(ClientEvent::Handshake(_)) | None => None,
            }
        });
        Ok(received.await)
    }

    /// The player waits for what the gateway says before it closes.
    async fn left(&self) {
        pending().await
    }

    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        lock(&self.0).to_client.extend_from_slice(octets);
        Ok(())
    }

    /// Only simulates the handshake, since the connection does not leave the process.
    async fn start_tls(self, _: &mut Shutdown) -> Result<Upgraded<Self>, HandshakeError> {
        let certificate = self.wait(|buffers| match buffers.event.take() {
            Some(ClientEvent::Handshake(certificate)) => Some(Ok(certificate)),
            Some(ClientEvent::Close) => Some(Err(HandshakeError::Closed)),
            Some(ClientEvent::Wait) => Some(Err(HandshakeError::Timeout)),
            None => None,
        });
        let certificate = certificate.await?;
        Ok(Upgraded {
            facts: fixture::tls_facts(certificate),
            channel: Channel {
                exporter: None,
                client_certificate: certificate == Certificate::Client,
            },
            transport: self,
        })
    }

    async fn close(&mut self) {
        mem::take(&mut lock(&self.0).to_server);
    }
}
