//! The facts of a session: the client, its connection, its introduction and its authentication.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use postgate_proto::data::LineEndings;
use postgate_proto::proxy::ProxyHeader;
use postgate_proto::session::Helo;

/// The facts that hold from the start of a session. Only a PROXY header, XCLIENT and edits of plugins change
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// The id of the session, unique among all sessions.
    pub id: String,
    /// The time of the connection, in seconds since 1970-01-01 UTC.
    pub connected_at: u32,
    /// The name of the listener.
    pub listener: String,
    /// The host name of the gateway in the banner and in replies.
    pub hostname: String,
    /// The text after the host name in the banner, unless a plugin sets another.
    pub banner: String,
    /// The local address of the connection.
    pub local: SocketAddr,
    /// The address of the client.
    pub remote: SocketAddr,
    /// The host name of the client, as far as it is known.
    pub remote_host: RemoteHost,
    /// The PROXY header, if the client came through a proxy.
    pub proxy: Option<ProxyHeader>,
    /// How the listener treats line endings that are not CRLF.
    pub line_endings: LineEndings,
}

impl SessionFacts {
    /// The facts of a session that no listener has accepted, as for the trial of a plugin. Both ends of the
    /// connection have this address.
    pub fn without_listener(address: SocketAddr) -> Self {
        Self {
            id: "none".into(),
            connected_at: 0,
            listener: String::new(),
            hostname: "localhost".into(),
            banner: String::new(),
            local: address,
            remote: address,
            remote_host: RemoteHost::Unknown,
            proxy: None,
            line_endings: LineEndings::Strict,
        }
    }

    /// The host name of the client, or its IP address if it has none.
    pub fn remote_name(&self) -> String {
        match self.remote_host.name() {
            Some(name) => name.to_owned(),
            None => self.remote.ip().to_string(),
        }
    }
}

/// The host name of a client, and how it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RemoteHost {
    /// The name in the PTR record of the address, whose address records contain the address.
    Confirmed(String),
    /// The name that a plugin or a trusted client (XCLIENT) has set.
    Told(String),
    /// The address has no PTR record, or its name does not resolve to the address.
    Unconfirmed,
    /// There was no DNS query, or no answer to it.
    #[default]
    Unknown,
}

impl RemoteHost {
    /// The name, or `None` if it is not known.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Confirmed(name) | Self::Told(name) => Some(name),
            Self::Unconfirmed | Self::Unknown => None,
        }
    }
}

/// The introduction of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// The command.
    pub kind: Helo,
    /// The name as the client wrote it.
    pub name: Arc<str>,
}

/// The authentication of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// The time of the authentication, in seconds since 1970-01-01 UTC.
    pub since: u32,
    /// The SASL mechanism, or `XCLIENT` if a trusted client named the identity.
    pub mechanism: &'static str,
    /// The authentication identity: whose credentials were verified.
    pub identity: Box<str>,
    /// The authorization identity: whom the client acts as (RFC 4422 §2).
    pub acts_as: Box<str>,
}

/// The latest errors of the client, at most [`Self::CAPACITY`], the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Faults(VecDeque<ClientError>);

impl Faults {
    /// The greatest number of errors that are kept.
    pub const CAPACITY: usize = 32;

    /// Adds an error. It replaces the oldest one if the capacity is reached.
    pub fn push(&mut self, error: ClientError) {
        if self.0.len() == Self::CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(error);
    }

    /// The errors, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = ClientError> {
        self.0.iter().copied()
    }
}

/// A command that the gateway refused as an error of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// The time of the command, in seconds since 1970-01-01 UTC.
    pub at: u32,
    /// The name of the error, see [`Fault::name`](postgate_proto::fault::Fault::name).
    pub fault: &'static str,
}

/// The facts of a TLS connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The time of the end of the handshake, in seconds since 1970-01-01 UTC.
    pub since: u32,
    /// The version of the protocol: `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name, for example `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The host name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// The negotiated application protocol (ALPN).
    pub alpn: Option<String>,
    /// The certificate of the client, if it presented one.
    pub client_certificate: Option<ClientCertificate>,
    /// True if an earlier TLS session was resumed.
    pub is_resumed: bool,
}

/// The certificate of a client, which has proved that it has the private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject's distinguished name, for example `CN=mx.example.org, O=Example`.
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The subject alternative names: mail addresses, host names and IP addresses.
    pub names: Vec<String>,
    /// The SHA-256 of the certificate in lower-case hexadecimal digits.
    pub fingerprint: String,
    /// True if the certificate is valid and issued by an authority that the operator trusts for clients.
    pub verified: bool,
}
