//! A server that mail is relayed to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use postgate_config::{Backend, HostPort};
use postgate_proto::client::{Capabilities, ClientName, Protocol};
use postgate_proto::parameters::Extensions;
use tokio::net::lookup_host;
use tokio::time::timeout;
use tracing::warn;

use super::connection::Connection;
use super::extensions::ServerExtensions;
use super::patience::Patience;
use super::peer::Peer;
use super::pool::Pool;
use super::stream::Stream;
use crate::error::{DeliveryError, SetupError};
use crate::security::CurrentSecurity;

/// A server, shared by all transactions with it.
#[derive(Debug)]
pub(crate) struct Server {
    socket: Socket,
    pub(super) peer: Arc<Peer>,
    pub(crate) security: CurrentSecurity,
    pub(super) pool: Arc<Pool>,
}

/// Where a server listens.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(HostPort),
    Unix(PathBuf),
}

impl Server {
    pub(crate) fn new(
        backend: &Backend,
        protocol: Protocol,
        socket: Socket,
        hostname: &str,
    ) -> Result<Self, SetupError> {
        let peer = Peer {
            address: backend.address.to_string(),
            protocol,
            name: ClientName::new(hostname)?,
            extensions: ServerExtensions::new(backend.unused_extensions.clone()),
            patience: Patience::default(),
            connect_timeout: backend.connect_timeout,
            command_timeout: backend.command_timeout,
            data_timeout: backend.data_timeout,
        };
        // A number that does not fit is larger than any number of connections.
        let max_idle = usize::try_from(backend.max_idle).unwrap_or(usize::MAX);
        Ok(Self {
            socket,
            peer: Arc::new(peer),
            security: CurrentSecurity::read(backend)?,
            pool: Pool::new(max_idle, backend.idle_timeout),
        })
    }

    /// Takes a pooled connection. Those that were made before the last reload are closed, and those
    /// that would use BDAT without having shown that they can, once another one has shown that the
    /// server does not honour it.
    pub(super) fn pooled(&self) -> Option<Connection> {
        let security = self.security.get();
        while let Some(mut connection) = self.pool.take() {
            connection.reuse();
            let is_current = Arc::ptr_eq(&connection.security, &security);
            match is_current && !connection.needs_proof() {
                true => return Some(connection),
                false => connection.quit(),
            }
        }
        None
    }

    /// Ends all idle connections, and the others when they are returned.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// What can be used with the server, as far as the newest connection has shown.
    pub(crate) fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.peer.extensions.seen()
    }

    /// The extensions that can be announced to clients, as far as the newest connection has shown.
    pub(crate) fn announced(&self) -> Extensions {
        self.peer.extensions.announced()
    }

    /// Makes a new connection. The addresses of a name are tried in turn until one works.
    pub(super) async fn connect(&self) -> Result<Connection, DeliveryError> {
        match &self.socket {
            Socket::Unix(path) => self.greet(Stream::connect_unix(path)).await,
            Socket::Tcp(HostPort { host, port }) => {
                let addresses = self.limited(lookup_host((host.as_str(), *port))).await?;
                let mut last = self.unreachable(io::ErrorKind::NotFound.into());
                for address in addresses {
                    match self.greet(Stream::connect_tcp(address)).await {
                        Ok(connection) => return Ok(connection),
                        Err(error) => last = error,
                    }
                    warn!(backend = self.peer.address, %address, error = %last, "no connection");
                }
                Err(last)
            }
        }
    }

    async fn greet(
        &self,
        stream: impl Future<Output = io::Result<Stream>>,
    ) -> Result<Connection, DeliveryError> {
        let stream = self.limited(stream).await?;
        Connection::greet(stream, Arc::clone(&self.peer), self.security.get()).await
    }

    /// Waits for a step of connecting, for at most the connect timeout.
    async fn limited<T>(
        &self,
        connecting: impl Future<Output = io::Result<T>>,
    ) -> Result<T, DeliveryError> {
        timeout(self.peer.connect_timeout, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| self.unreachable(error))
    }

    fn unreachable(&self, cause: io::Error) -> DeliveryError {
        DeliveryError::Unreachable {
            address: self.peer.address.clone(),
            cause,
        }
    }
}
