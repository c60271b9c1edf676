//! The octet stream of a connection, with or without TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The TLS settings of a backend.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The configuration of the server.
    pub config: Arc<ServerConfig>,
    /// True for implicit TLS, false for STARTTLS.
    pub is_implicit: bool,
}

/// A connection with or without TLS.
pub(super) enum Transport {
    Closed,
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Transport {
    pub(super) fn close(&mut self) {
        // It fails if the gateway has already closed the connection.
        match self {
            Self::Closed => {}
            Self::Plain(stream) => _ = stream.shutdown(Shutdown::Both),
            Self::Tls(stream) => {
                stream.conn.send_close_notify();
                _ = stream.conn.complete_io(&mut stream.sock);
                _ = stream.sock.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Closed => Err(ErrorKind::NotConnected.into()),
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Closed => Err(ErrorKind::NotConnected.into()),
            Self::Plain(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Closed => Ok(()),
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
