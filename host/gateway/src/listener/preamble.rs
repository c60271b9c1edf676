//! What comes on a connection before its session: the PROXY header, and clients that do not wait for
//! the banner.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use postgate_proto::proxy::{self, Parsed, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use crate::session::Stream;

/// What came before the session.
#[derive(Debug, Default)]
pub(super) struct Preamble {
    /// What a proxy said.
    pub(super) header: Option<ProxyHeader>,
    /// Octets behind the header, which belong to the session.
    pub(super) early: Vec<u8>,
}

impl Preamble {
    /// The addresses of client and gateway: those that the proxy named, or else those of the socket.
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
}

/// Why a connection does not become a session.
#[derive(Debug, thiserror::Error)]
pub(super) enum PreambleError {
    /// The connection broke.
    #[error("the connection broke before the PROXY header: {0}")]
    Closed(io::Error),
    /// There must be a header, and there is none or a malformed one.
    #[error("the PROXY header is missing or malformed")]
    Malformed,
    /// The header did not come in time.
    #[error("the PROXY header did not come in time")]
    Timeout,
    /// The client is not a proxy in `proxy-from`, and the listener serves only those.
    #[error("only the proxies in proxy-from may connect here")]
    Untrusted,
}

/// Reads the header that a trusted proxy sends first. If it is not required, a connection that begins
/// with anything else, or with nothing, is taken as it is.
///
/// # Errors
///
/// Fails if a required header is missing, and if a header is malformed.
pub(super) async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
    required: bool,
    limit: Duration,
) -> Result<Preamble, PreambleError> {
    let mut octets = Vec::new();
    loop {
        let read = match timeout(limit, stream.read_buf(&mut octets)).await {
            Err(_) if !required && octets.is_empty() => return Ok(Preamble::default()),
            Err(_) => return Err(PreambleError::Timeout),
            Ok(read) => read.map_err(PreambleError::Closed)?,
        };
        if read == 0 {
            return Err(PreambleError::Closed(io::ErrorKind::UnexpectedEof.into()));
        }
        match proxy::parse(&octets) {
            Parsed::Incomplete => {}
            Parsed::Header(header, length) => {
                return Ok(Preamble {
                    header: Some(header),
                    early: octets.split_off(length),
                });
            }
            Parsed::Invalid if !required && !looks_like_header(&octets) => {
                return Ok(Preamble {
                    header: None,
                    early: octets,
                });
            }
            Parsed::Invalid => return Err(PreambleError::Malformed),
        }
    }
}

/// True if somebody meant to send a header: a malformed one must not be read as commands.
fn looks_like_header(octets: &[u8]) -> bool {
    octets.starts_with(b"PROXY") || octets.starts_with(b"\r\n\r\n\0\r\nQUIT\n")
}

/// Waits before the banner. Returns true if the client talks in that time, which no mail server would
/// do (RFC 5321 §4.3.1).
pub(super) async fn talks_early(stream: &mut Stream, wait: Duration) -> bool {
    let mut octet = [0];
    let heard = match stream {
        Stream::Plain(stream) => timeout(wait, stream.peek(&mut octet)).await,
        // What is read here is lost, but a client that has talked is turned away.
        Stream::Tls(stream) => timeout(wait, stream.read(&mut octet)).await,
    };
    matches!(heard, Ok(Ok(count)) if count > 0)
}
