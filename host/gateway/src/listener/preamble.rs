//! What happens to a connection before its session: the PROXY header, and early talkers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use postgate_proto::proxy::{self, Parsed, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use crate::session::stream::Stream;

/// What came before the session.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    /// What a proxy said.
    pub(crate) header: Option<ProxyHeader>,
    /// Octets behind the header, which belong to the session.
    pub(crate) early: Vec<u8>,
}

/// Why a connection does not become a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArrivalError {
    /// The connection broke.
    #[error("the connection broke before the PROXY header: {0}")]
    Closed(io::Error),
    /// There is no header where there must be one, or not a valid one.
    #[error("the PROXY header is missing or malformed")]
    Malformed,
    /// The header does not come.
    #[error("the PROXY header did not come in time")]
    Timeout,
    /// Whoever connects is no proxy in `proxy-from`, and the listener is for those alone.
    #[error("only the proxies in proxy-from may connect here")]
    Untrusted,
}

/// Reads the header that a trusted proxy sends first. Where it is optional, a connection that begins
/// with anything else is taken as it is, and one that says nothing is no proxy's.
pub(crate) async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
    required: bool,
    patience: Duration,
) -> Result<Arrival, ArrivalError> {
    let mut octets = Vec::new();
    loop {
        let read = match timeout(patience, stream.read_buf(&mut octets)).await {
            Err(_) if !required && octets.is_empty() => return Ok(Arrival::default()),
            Err(_) => return Err(ArrivalError::Timeout),
            Ok(read) => read.map_err(ArrivalError::Closed)?,
        };
        if read == 0 {
            return Err(ArrivalError::Closed(io::ErrorKind::UnexpectedEof.into()));
        }
        match proxy::parse(&octets) {
            Parsed::Incomplete => {}
            Parsed::Header(header, length) => {
                return Ok(Arrival {
                    header: Some(header),
                    early: octets.split_off(length),
                });
            }
            Parsed::Invalid if !required && !looks_like_one(&octets) => {
                return Ok(Arrival {
                    header: None,
                    early: octets,
                });
            }
            Parsed::Invalid => return Err(ArrivalError::Malformed),
        }
    }
}

/// Whether somebody meant to send a header: what is garbled is not simply read as commands.
fn looks_like_one(octets: &[u8]) -> bool {
    octets.starts_with(b"PROXY") || octets.starts_with(b"\r\n\r\n\0\r\nQUIT\n")
}

/// The addresses that hold for a session: what the proxy said, or else what the socket says.
pub(crate) fn addresses(
    header: Option<&ProxyHeader>,
    remote: SocketAddr,
    local: SocketAddr,
) -> (SocketAddr, SocketAddr) {
    header
        .and_then(|header| header.addresses)
        .unwrap_or((remote, local))
}

/// Waits a while before the banner, and says whether the client talks in that time, which no mail
/// server would do (RFC 5321 §4.3.1).
pub(crate) async fn talks_early(stream: &mut Stream, patience: Duration) -> bool {
    let mut octet = [0];
    let heard = match stream {
        Stream::Plain(stream) => timeout(patience, stream.peek(&mut octet)).await,
        // What is read here is lost, but a client that has talked is turned away.
        Stream::Tls(stream) => timeout(patience, stream.read(&mut octet)).await,
    };
    matches!(heard, Ok(Ok(count)) if count > 0)
}
