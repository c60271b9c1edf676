//! The socket to a backend: TCP, TLS over it, or Unix.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connected socket.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl Stream {
    pub(super) async fn connect_tcp(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    pub(super) async fn connect_unix(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).await.map(Self::Unix)
    }

    /// Performs a TLS handshake. Fails unless this is a TCP connection that is not encrypted.
    pub(super) async fn encrypt(
        self,
        connector: &TlsConnector,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => {
                let stream = connector.connect(name, stream).await?;
                Ok(Self::Tls(Box::new(stream)))
            }
            Self::Tls(_) | Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// True if the connection does not leave this machine.
    pub(super) const fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// The state of TLS. Returns `None` if the connection is not encrypted.
    pub(super) fn tls(&self) -> Option<&rustls::ClientConnection> {
        match self {
            Self::Tls(stream) => Some(stream.get_ref().1),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }

    /// Reads at least one octet. Fails at the end of the stream.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self {
            Self::Tcp(stream) => stream.read(buffer).await?,
            Self::Tls(stream) => stream.read(buffer).await?,
            Self::Unix(stream) => stream.read(buffer).await?,
        };
        match count {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(count),
        }
    }

    pub(super) async fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(octets).await,
            Self::Tls(stream) => {
                stream.write_all(octets).await?;
                // TLS may still hold octets that are encrypted and not sent.
                stream.flush().await
            }
            Self::Unix(stream) => stream.write_all(octets).await,
        }
    }

    /// Writes what fits into the buffers of the system now, and closes the connection.
    pub(super) fn close_with(self, octets: &[u8]) {
        match self {
            // The connection is closed, whether or not the octets are sent.
            Self::Tcp(stream) => _ = stream.try_write(octets),
            Self::Unix(stream) => _ = stream.try_write(octets),
            Self::Tls(mut stream) => {
                let mut stream = Pin::new(&mut *stream);
                let mut context = Context::from_waker(Waker::noop());
                if let Poll::Ready(Ok(_)) = stream.as_mut().poll_write(&mut context, octets) {
                    _ = stream.poll_shutdown(&mut context);
                }
            }
        }
    }

    /// True if the other side has neither closed the connection nor sent anything. Asks the system,
    /// because the readiness that the runtime knows may be out of date.
    pub(super) fn is_quiet(&mut self) -> bool {
        if let Self::Tls(stream) = self {
            // TLS may have read and decrypted octets already.
            let state = stream.get_mut().1.process_new_packets();
            if state.map_or(true, |state| {
                state.plaintext_bytes_to_read() > 0 || state.peer_has_closed()
            }) {
                return false;
            }
        }
        let mut octet = [MaybeUninit::uninit()];
        let peeked = match self {
            Self::Tcp(stream) => SockRef::from(&*stream).peek(&mut octet),
            Self::Tls(stream) => SockRef::from(stream.get_ref().0).peek(&mut octet),
            Self::Unix(stream) => SockRef::from(&*stream).peek(&mut octet),
        };
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}
