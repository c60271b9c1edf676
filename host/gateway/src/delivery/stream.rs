//! The socket to a backend, TCP or Unix.

use std::io;
use std::mem::MaybeUninit;
use std::path::Path;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// A connected socket.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub(super) async fn connect_tcp(address: std::net::SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    pub(super) async fn connect_unix(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).await.map(Self::Unix)
    }

    /// Reads at least one octet.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self {
            Self::Tcp(stream) => stream.read(buffer).await?,
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
            Self::Unix(stream) => stream.write_all(octets).await,
        }
    }

    /// Writes as much as fits into the buffers of the system right now.
    pub(super) fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(octets),
            Self::Unix(stream) => stream.try_write(octets),
        }
    }

    /// Whether the other side has neither closed the connection nor sent anything. Asks the system
    /// itself: what the runtime knows may be a moment old.
    pub(super) fn is_quiet(&self) -> bool {
        let mut octet = [MaybeUninit::uninit()];
        let peeked = match self {
            Self::Tcp(stream) => SockRef::from(stream).peek(&mut octet),
            Self::Unix(stream) => SockRef::from(stream).peek(&mut octet),
        };
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}
