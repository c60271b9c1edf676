//! Octets that a client or proxy sends before the session: PROXY headers and early commands.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use postgate_proto::proxy::{self, Parsed, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use crate::session::Stream;

/// The octets that precede the session on a connection.
#[derive(Debug, Default)]
pub(super) struct ConnectionPreamble {
    pub(super) header: Option<ProxyHeader>,
    /// Octets behind the header. They belong to the session.
    pub(super) early: Vec<u8>,
}

impl ConnectionPreamble {
    /// Returns the addresses of client and gateway from the header, or else those of the socket.
    pub(super) fn addresses(
        &self,
        remote: SocketAddr,
        local: SocketAddr,
    ) -> (SocketAddr, SocketAddr) {
        let header = self.header.as_ref();
        header
            .and_then(|header| header.addresses)
            .unwrap_or((remote, local))
    }

    /// True if the proxy speaks for itself: a header without a client, as those of health checks.
    pub(super) fn is_from_proxy(&self) -> bool {
        let header = self.header.as_ref();
        header.is_some_and(|header| header.addresses.is_none())
    }
}

/// Why a connection gets no session. The cause is the proxy, or the operator who has configured it.
#[derive(Debug, thiserror::Error)]
pub(super) enum PreambleError {
    /// The connection failed.
    #[error("the connection broke before the PROXY header: {0}")]
    Connection(#[source] io::Error),
    /// A required header is missing, or a header is malformed.
    #[error("the PROXY header is missing or malformed")]
    Malformed,
    /// The header did not arrive within the time limit.
    #[error("the PROXY header did not arrive within the time limit")]
    Timeout,
    /// The listener requires a header, and the client is not in `proxy-from`.
    #[error("only the proxies in proxy-from may connect here")]
    Untrusted,
}

/// Reads the PROXY header of a trusted proxy. `limit` is the time limit for each read. If the header is
/// not required, it may be missing.
///
/// # Errors
///
/// Fails if a required header is missing, or a header is malformed or incomplete.
pub(super) async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
    required: bool,
    limit: Duration,
) -> Result<ConnectionPreamble, PreambleError> {
    let mut octets = Vec::new();
    loop {
        let read = match timeout(limit, stream.read_buf(&mut octets)).await {
            Err(_) if !required && octets.is_empty() => return Ok(ConnectionPreamble::default()),
            Err(_) => return Err(PreambleError::Timeout),
            Ok(read) => read.map_err(PreambleError::Connection)?,
        };
        if read == 0 {
            let error = io::ErrorKind::UnexpectedEof.into();
            return Err(PreambleError::Connection(error));
        }
        match proxy::parse(&octets) {
            Parsed::Incomplete => {}
            Parsed::Header(header, length) => {
                return Ok(ConnectionPreamble {
                    header: Some(header),
                    early: octets.split_off(length),
                });
            }
            Parsed::Invalid if !required && !looks_like_header(&octets) => {
                return Ok(ConnectionPreamble {
                    header: None,
                    early: octets,
                });
            }
            Parsed::Invalid => return Err(PreambleError::Malformed),
        }
    }
}

/// Returns true if the octets begin with the signature of a header. A malformed header must not be
/// interpreted as commands.
fn looks_like_header(octets: &[u8]) -> bool {
    octets.starts_with(b"PROXY") || octets.starts_with(b"\r\n\r\n\0\r\nQUIT\n")
}

/// Waits before the banner. Returns true if the client sends octets in that time, although it must wait
/// for the banner (RFC 5321 §4.3.1).
pub(super) async fn sends_early(stream: &mut Stream, wait: Duration) -> bool {
    let mut octet = [0];
    let read = match stream {
        Stream::Plain(stream) => timeout(wait, stream.peek(&mut octet)).await,
        // The octet is lost, but the client is refused in this case.
        Stream::Tls(stream) => timeout(wait, stream.read(&mut octet)).await,
    };
    matches!(read, Ok(Ok(count)) if count > 0)
}
