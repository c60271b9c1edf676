//! The server side of the TLS handshake with one client.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use postgate_proto::session::{Channel, Ending};
use postgate_runtime::context::TlsFacts;
use rustls::{
    AlertDescription, CertificateError, CipherSuite, Error, HandshakeKind, InvalidMessage,
    PeerIncompatible, ProtocolVersion, ServerConnection,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::info;

use super::parameters::HandshakeParameters;
use crate::clock;
use crate::error_chain::Chain;

/// A connection after the handshake.
pub(crate) struct EncryptedConnection {
    pub(crate) stream: Box<TlsStream<TcpStream>>,
    /// The facts for plugins and the log.
    pub(crate) facts: TlsFacts,
    /// The facts for the session.
    pub(crate) channel: Channel,
}

/// Why a handshake failed. The cause is the client or the network, except for [`Self::Stopping`].
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The client closed the connection.
    #[error("the client closed the connection")]
    Closed,
    /// The connection failed.
    #[error("the connection broke: {0}")]
    Connection(#[source] io::Error),
    /// Client and gateway have no parameters in common, or one of them violates the protocol.
    #[error("{}", describe(.0))]
    Protocol(#[source] Error),
    /// The gateway stops.
    #[error("the gateway stops")]
    Stopping,
    /// The time limit has passed.
    #[error("not complete within limits.tls-timeout")]
    Timeout,
    /// The listener requires a trusted certificate, and that of the resumed session is not trusted.
    #[error("the client has resumed a session whose certificate is not trusted any more")]
    UntrustedCertificate,
}

impl HandshakeError {
    /// Returns how the session ends after this error.
    pub const fn ending(&self) -> Ending {
        match self {
            Self::Stopping => Ending::Shutdown,
            Self::Timeout => Ending::Timeout,
            Self::Closed | Self::Connection(_) | Self::Protocol(_) | Self::UntrustedCertificate => {
                Ending::Closed
            }
        }
    }

    /// Logs the error. The level is info, because senders ask the operator why mail does not arrive.
    pub(crate) fn log(&self, session: &str, remote: SocketAddr) {
        info!(session, %remote, reason = %Chain(self), "TLS handshake failed");
    }
}

/// Performs the server side of the handshake. `early` has the octets of the handshake that were
/// already read from the stream.
pub(super) async fn accept(
    parameters: &HandshakeParameters,
    stream: TcpStream,
    early: &[u8],
) -> Result<EncryptedConnection, HandshakeError> {
    let mut fed = Ok(());
    let acceptor = TlsAcceptor::from(Arc::clone(&parameters.config));
    let accepting = acceptor.accept_with(stream, |connection| fed = feed(connection, early));
    fed.map_err(HandshakeError::Protocol)?;
    let stream = timeout(parameters.timeout, accepting)
        .await
        .map_err(|_| HandshakeError::Timeout)?
        .map_err(handshake_error)?;
    let connection = stream.get_ref().1;
    let facts = facts(parameters, connection);
    let certificate = facts.client_certificate.as_ref();
    if let Some(verifier) = &parameters.client_verifier
        && !verifier.admits(certificate)
    {
        return Err(HandshakeError::UntrustedCertificate);
    }
    let channel = Channel {
        exporter: exporter(connection),
        client_certificate: certificate.is_some_and(|certificate| certificate.verified),
    };
    Ok(EncryptedConnection {
        stream: Box::new(stream),
        facts,
        channel,
    })
}

/// Passes octets that were already read to the TLS connection.
fn feed(connection: &mut ServerConnection, mut early: &[u8]) -> Result<(), Error> {
    while !early.is_empty() {
        // Reading from a slice does not fail. It returns 0 if the buffer of the connection is full,
        // which a valid ClientHello does not cause.
        match connection.read_tls(&mut early) {
            Ok(count) if count > 0 => {}
            _ => return Err(Error::General("too much at once".to_owned())),
        }
        connection.process_new_packets()?;
    }
    Ok(())
}

fn facts(parameters: &HandshakeParameters, connection: &ServerConnection) -> TlsFacts {
    let presented = connection.peer_certificates().unwrap_or_default();
    let verifier = parameters.client_verifier.as_ref();
    let suite = connection.negotiated_cipher_suite();
    TlsFacts {
        since: clock::unix_time(),
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        },
        cipher: suite.map_or_else(String::new, |suite| iana_name(suite.suite())),
        server_name: connection.server_name().map(str::to_owned),
        alpn: connection
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
        client_certificate: verifier.and_then(|verifier| verifier.facts(presented)),
        is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

/// Returns the name of a cipher suite in the IANA registry. rustls prefixes the names of TLS 1.3 suites
/// with `TLS13_`, the registry with `TLS_`.
fn iana_name(suite: CipherSuite) -> String {
    let name = suite.as_str().unwrap_or_default();
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name.to_owned(),
    }
}

/// Returns the channel binding `tls-exporter` (RFC 9266). With TLS 1.2 it needs the extended master
/// secret (RFC 9266 section 4.2), and rustls does not expose whether that was negotiated.
fn exporter(connection: &ServerConnection) -> Option<[u8; 32]> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection
        .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]))
        .ok()
}

fn handshake_error(error: io::Error) -> HandshakeError {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<Error>());
    match (cause, error.kind()) {
        (Some(cause), _) => HandshakeError::Protocol(cause.clone()),
        (None, io::ErrorKind::UnexpectedEof) => HandshakeError::Closed,
        (None, _) => HandshakeError::Connection(error),
    }
}

/// Describes the errors that operators meet often, followed by the text of rustls.
fn describe(error: &Error) -> String {
    let words = match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the client does not speak TLS"
        }
        Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion)
        | Error::PeerIncompatible(
            // rustls checks these extensions before the version, and older clients do not send them.
            PeerIncompatible::SignatureAlgorithmsExtensionRequired
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => "the client speaks no version of TLS that is taken here",
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            "no cipher suite in common with the client"
        }
        Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => {
            "no key exchange in common with the client"
        }
        Error::NoCertificatesPresented => "the client has shown no certificate",
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate of the client is of no authority in client-ca"
        }
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "the certificate of the client has expired",
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired,
        ) => return format!("the client does not take the certificate: {error}"),
        error => return error.to_string(),
    };
    format!("{words} ({error})")
}
