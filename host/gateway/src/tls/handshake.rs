//! The handshake with one client, and what came of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use postgate_proto::session::{Channel, Ending};
use rustls::{
    AlertDescription, CertificateError, CipherSuite, Error, HandshakeKind, InvalidMessage,
    PeerIncompatible, ProtocolVersion, ServerConnection,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::info;

use super::Terms;
use crate::id;
use postgate_runtime::context::TlsFacts;

/// A session that is encrypted now.
pub(crate) struct Encrypted {
    /// What goes over it.
    pub(crate) stream: Box<TlsStream<TcpStream>>,
    /// What plugins and the log are told.
    pub(crate) facts: TlsFacts,
    /// What the session needs to know.
    pub(crate) channel: Channel,
}

/// Why a session could not be encrypted. It is the client's affair, or that of the two together.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// Without a certificate that is trusted, nobody is served.
    #[error("the client has resumed a session whose certificate is not trusted any more")]
    Distrusted,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// The client went away.
    #[error("the client closed the connection")]
    Closed,
    /// What the client wants and what the gateway wants do not go together.
    #[error("{0}")]
    Failed(String),
    /// The gateway stops.
    #[error("the gateway stops")]
    Stopping,
    /// It did not come to an end in time.
    #[error("not complete within limits.tls-timeout")]
    Timeout,
}

impl HandshakeError {
    /// How the session ends by it.
    pub const fn ending(&self) -> Ending {
        match self {
            Self::Stopping => Ending::Shutdown,
            Self::Timeout => Ending::Timeout,
            Self::Broken(_) | Self::Closed | Self::Distrusted | Self::Failed(_) => Ending::Closed,
        }
    }

    /// Tells the operator, who may be asked why mail does not come.
    pub(crate) fn log(&self, session: &str, remote: SocketAddr) {
        info!(session, %remote, reason = %self, "TLS handshake failed");
    }
}

/// Carries out the server's side of the handshake. `early` is what was read of it already.
pub(super) async fn accept(
    terms: &Terms,
    stream: TcpStream,
    early: &[u8],
) -> Result<Encrypted, HandshakeError> {
    let mut fed = Ok(());
    let acceptor = TlsAcceptor::from(Arc::clone(&terms.config));
    let accepting = acceptor.accept_with(stream, |connection| fed = feed(connection, early));
    fed.map_err(|error| HandshakeError::Failed(in_words(&error)))?;
    let stream = timeout(terms.patience, accepting)
        .await
        .map_err(|_| HandshakeError::Timeout)?
        .map_err(why)?;
    let connection = stream.get_ref().1;
    let facts = facts(terms, connection);
    let certificate = facts.client_certificate.as_ref();
    if let Some(clients) = &terms.clients
        && !clients.admit(certificate)
    {
        return Err(HandshakeError::Distrusted);
    }
    let channel = Channel {
        exporter: exporter(connection),
        client_certificate: certificate.is_some_and(|certificate| certificate.verified),
    };
    Ok(Encrypted {
        stream: Box::new(stream),
        facts,
        channel,
    })
}

/// Gives the connection what came before it was there.
fn feed(connection: &mut ServerConnection, mut early: &[u8]) -> Result<(), Error> {
    while !early.is_empty() {
        // A slice can be read, and what is too much for the connection is no handshake.
        match connection.read_tls(&mut early) {
            Ok(count) if count > 0 => {}
            _ => return Err(Error::General("too much at once".to_owned())),
        }
        connection.process_new_packets()?;
    }
    Ok(())
}

fn facts(terms: &Terms, connection: &ServerConnection) -> TlsFacts {
    let presented = connection.peer_certificates().unwrap_or_default();
    let clients = terms.clients.as_ref();
    let suite = connection.negotiated_cipher_suite();
    TlsFacts {
        since: id::now(),
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        },
        cipher: suite.map_or_else(String::new, |suite| iana_name(suite.suite())),
        server_name: connection.server_name().map(str::to_owned),
        alpn: connection
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
        client_certificate: clients.and_then(|clients| clients.facts(presented)),
        is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

/// The name of a cipher suite in IANA's registry, which does not tell the suites of TLS 1.3 apart by
/// their names.
fn iana_name(suite: CipherSuite) -> String {
    let name = suite.as_str().unwrap_or_default();
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name.to_owned(),
    }
}

/// The channel binding of RFC 9266. TLS 1.2 has it only with an extension of which is not told
/// whether it was agreed on (RFC 9266 section 4.2).
fn exporter(connection: &ServerConnection) -> Option<[u8; 32]> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection
        .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]))
        .ok()
}

fn why(error: io::Error) -> HandshakeError {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<Error>());
    match (cause, error.kind()) {
        (Some(cause), _) => HandshakeError::Failed(in_words(cause)),
        (None, io::ErrorKind::UnexpectedEof) => HandshakeError::Closed,
        (None, _) => HandshakeError::Broken(error),
    }
}

/// What an operator can make something of.
fn in_words(error: &Error) -> String {
    let words = match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the client does not speak TLS"
        }
        Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion)
        | Error::PeerIncompatible(
            // Clients have it since version 1.2, and are looked at for it before their version is.
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
