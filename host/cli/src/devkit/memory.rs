//! A transport in memory: the client is the tool itself.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use postgate::session::{Received, Transport, Upgraded};
use postgate::shutdown::Shutdown;
use postgate::tls::HandshakeError;
use postgate_dialog::Certificate;
use postgate_proto::session::Channel;
use tokio::time::Instant;

use super::fixture;

/// The server's end of a connection in memory.
#[derive(Debug)]
pub(super) struct MemoryTransport(Arc<Mutex<Wire>>);

/// The client's end of a connection in memory.
#[derive(Debug)]
pub(super) struct MemoryClient(Arc<Mutex<Wire>>);

/// What is under way between the two ends.
#[derive(Debug, Default)]
struct Wire {
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    event: Option<ClientEvent>,
    /// True while the server waits for the client.
    server_waits: bool,
}

/// What a client does beside sending octets, once the server has read those.
#[derive(Clone, Copy, Debug)]
pub(super) enum ClientEvent {
    /// It closes the connection.
    Close,
    /// It shakes hands, with this certificate.
    Handshake(Certificate),
    /// It lets its time run out.
    Wait,
}

/// Both ends of a new connection.
pub(super) fn connection() -> (MemoryTransport, MemoryClient) {
    let wire = Arc::new(Mutex::new(Wire::default()));
    (MemoryTransport(Arc::clone(&wire)), MemoryClient(wire))
}

fn locked(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    // No operation on a wire can panic half done.
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryClient {
    /// Sends octets.
    pub(super) fn send(&self, octets: &[u8]) {
        locked(&self.0).to_server.extend_from_slice(octets);
    }

    /// Does this next.
    pub(super) fn set_event(&self, event: ClientEvent) {
        locked(&self.0).event = Some(event);
    }

    /// Moves what the server has sent to the end of a buffer.
    pub(super) fn receive(&self, buffer: &mut Vec<u8>) {
        buffer.append(&mut locked(&self.0).to_client);
    }

    /// True if the server waits for the client.
    pub(super) fn is_awaited(&self) -> bool {
        locked(&self.0).server_waits
    }
}

impl MemoryTransport {
    /// Waits for something that the client does. The future does not wake its task: who plays the
    /// client polls it after each thing that it does.
    async fn wait<R>(&self, mut found: impl FnMut(&mut Wire) -> Option<R>) -> R {
        poll_fn(|_| {
            let mut wire = locked(&self.0);
            let found = found(&mut wire);
            wire.server_waits = found.is_none();
            found.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl Transport for MemoryTransport {
    /// The client says when its time is up, so that the deadline does not matter.
    async fn read(&mut self, buffer: &mut Vec<u8>, _: Instant) -> io::Result<Received> {
        let received = self.wait(|wire| {
            if !wire.to_server.is_empty() {
                buffer.append(&mut wire.to_server);
                return Some(Received::Octets);
            }
            match wire.event {
                Some(ClientEvent::Close) => Some(Received::Closed),
                Some(ClientEvent::Wait) => {
                    wire.event = None;
                    Some(Received::TimedOut)
                }
                Some(ClientEvent::Handshake(_)) | None => None,
            }
        });
        Ok(received.await)
    }

    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        locked(&self.0).to_client.extend_from_slice(octets);
        Ok(())
    }

    /// Nobody listens in, so that the handshake itself is left out.
    async fn start_tls(self, _: &mut Shutdown) -> Result<Upgraded<Self>, HandshakeError> {
        let certificate = self.wait(|wire| match wire.event.take() {
            Some(ClientEvent::Handshake(certificate)) => Some(Ok(certificate)),
            Some(ClientEvent::Close) => Some(Err(HandshakeError::Closed)),
            Some(ClientEvent::Wait) => Some(Err(HandshakeError::Timeout)),
            None => None,
        });
        let certificate = certificate.await?;
        Ok(Upgraded {
            facts: fixture::encryption(certificate),
            channel: Channel {
                exporter: None,
                client_certificate: certificate == Certificate::Client,
            },
            transport: self,
        })
    }

    async fn close(&mut self) {
        mem::take(&mut locked(&self.0).to_server);
    }
}
