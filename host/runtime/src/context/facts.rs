//! What holds for a whole session: who the client is, and how it has come.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use postgate_proto::data::LineEndings;
use postgate_proto::proxy::ProxyHeader;
use postgate_proto::session::Helo;

/// What does not change in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// Unique among all sessions.
    pub id: String,
    /// Seconds since 1970-01-01 UTC.
    pub connected_at: u32,
    /// The name of the listener.
    pub listener: String,
    /// The name by which the gateway introduces itself.
    pub hostname: String,
    /// The text behind the host name in the banner, unless a plugin sets another.
    pub banner: String,
    /// Where the client connected to.
    pub local: SocketAddr,
    /// Where the client connected from.
    pub remote: SocketAddr,
    /// What is known about the client's name.
    pub remote_host: RemoteHost,
    /// What a proxy said about the client.
    pub proxy: Option<ProxyHeader>,
    /// What the listener does with line endings that are not CRLF.
    pub line_endings: LineEndings,
}

impl SessionFacts {
    /// The name of the client, or its address where it has none.
    pub fn remote_name(&self) -> String {
        match self.remote_host.name() {
            Some(name) => name.to_owned(),
            None => self.remote.ip().to_string(),
        }
    }
}

/// What is known about the name of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RemoteHost {
    /// Its address has this name, which leads back to it.
    Confirmed(String),
    /// A plugin or a trusted client says so.
    Told(String),
    /// Its address has no name, or none that leads back to it.
    Unconfirmed,
    /// Nobody has looked, or nobody has answered.
    #[default]
    Unknown,
}

impl RemoteHost {
    /// The name, where there is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Confirmed(name) | Self::Told(name) => Some(name),
            Self::Unconfirmed | Self::Unknown => None,
        }
    }
}

/// How a client has introduced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// The command: HELO or EHLO.
    pub kind: Helo,
    /// The name as it was given.
    pub name: Arc<str>,
}

/// How a client has authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// When, in seconds since 1970-01-01 UTC.
    pub since: u32,
    /// The SASL mechanism, or `XCLIENT` where a trusted client said so.
    pub mechanism: &'static str,
    /// Who the client is: the authentication identity.
    pub identity: Box<str>,
    /// Whom it acts as: the authorization identity.
    pub acts_as: Box<str>,
}

/// The latest errors of the client, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Faults(VecDeque<ClientError>);

impl Faults {
    /// The most that are kept.
    pub const CAPACITY: usize = 32;

    /// Adds one, in the place of the oldest where there is no room.
    pub fn push(&mut self, error: ClientError) {
        if self.0.len() == Self::CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(error);
    }

    /// All that are kept.
    pub fn iter(&self) -> impl Iterator<Item = ClientError> {
        self.0.iter().copied()
    }
}

/// A command that was refused as an error of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// When, in seconds since 1970-01-01 UTC.
    pub at: u32,
    /// The name of the fault.
    pub fault: &'static str,
}

/// How a session is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// When the handshake was complete, in seconds since 1970-01-01 UTC.
    pub since: u32,
    /// The version of the protocol: `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name, for example `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The host name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// The application protocol that was agreed on (ALPN).
    pub alpn: Option<String>,
    /// The certificate of the client, where it presented one.
    pub client_certificate: Option<ClientCertificate>,
    /// Whether it goes on with the secrets of an earlier session.
    pub is_resumed: bool,
}

/// A certificate that a client presented, to which it has the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject's distinguished name, for example `CN=mx.example.org, O=Example`.
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The names of the subject: mail addresses, host names and addresses (subjectAltName).
    pub names: Vec<String>,
    /// The SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub fingerprint: String,
    /// Whether it was issued by an authority that the operator trusts for clients, and is valid now.
    pub verified: bool,
}
