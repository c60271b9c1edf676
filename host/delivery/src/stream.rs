//! The socket to a backend: TCP, TLS over it, or Unix.

use std::io;
use std::mem::MaybeUninit;
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
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl Stream {
    pub(crate) async fn connect_tcp(address: std::net::SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    pub(crate) async fn connect_unix(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).await.map(Self::Unix)
    }

    /// The same connection after a handshake. Only TCP can be encrypted, and once.
    pub(crate) async fn encrypt(
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

    /// Whether what goes over it stays on this machine.
    pub(crate) const fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// What is known of the encryption.
    pub(crate) fn tls(&self) -> Option<&rustls::ClientConnection> {
        match self {
            Self::Tls(stream) => Some(stream.get_ref().1),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }

    /// Reads at least one octet.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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

    pub(crate) async fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(octets).await,
            Self::Tls(stream) => {
                stream.write_all(octets).await?;
                // What is encrypted may still be here.
                stream.flush().await
            }
            Self::Unix(stream) => stream.write_all(octets).await,
        }
    }

    /// Writes what fits into the buffers of the system right now, and closes.
    pub(crate) fn close_with(self, octets: &[u8]) {
        match self {
            // Nobody waits for what becomes of it.
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

    /// Whether the other side has neither closed the connection nor sent anything. Asks the system
    /// itself: what the runtime knows may be a moment old.
    pub(crate) fn is_quiet(&mut self) -> bool {
        if let Self::Tls(stream) = self {
            // What is decrypted already has left the system.
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
