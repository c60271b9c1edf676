//! Facts about the current session. Each function may be called in every event.

use std::net::IpAddr;

pub use crate::bindings::imports::postgate::plugin::session::{
    AuthenticationFacts, ClientCertificate, ClientError, HeloKind, HostCheck, LineEndingMode,
    TlsFacts,
};

use crate::bindings::imports::postgate::plugin::session::ProxyHeader;
use crate::bindings::imports::postgate::plugin::types::Pair;
use crate::{Address, Sender, host};

/// The id of the session. Unique among all sessions, and part of every log line.
pub fn id() -> String {
    host::session::id()
}

/// The id of the transaction. Unique among all transactions: each MAIL begins a new one. Empty
/// outside a transaction.
pub fn transaction_id() -> String {
    host::session::transaction_id()
}

/// When the client connected, in seconds since 1970-01-01 UTC.
pub fn connected_at() -> u32 {
    host::session::connected_at()
}

/// The name of the listener in the configuration.
pub fn listener() -> String {
    host::session::listener()
}

/// The host name by which the gateway introduces itself.
pub fn hostname() -> String {
    host::session::hostname()
}

/// The address that the client connected to.
pub fn local_ip() -> Option<IpAddr> {
    host::session::local_ip().parse().ok()
}

/// The port the client connected to.
pub fn local_port() -> u16 {
    host::session::local_port()
}

/// The client's address.
pub fn remote_ip() -> Option<IpAddr> {
    host::session::remote_ip().parse().ok()
}

/// The client's port.
pub fn remote_port() -> u16 {
    host::session::remote_port()
}

/// The client's name from reverse DNS; the client's address if there is no confirmed name.
pub fn remote_host() -> String {
    host::session::remote_host()
}

/// How trustworthy [`remote_host`] is.
pub fn remote_host_check() -> HostCheck {
    host::session::remote_host_check()
}

/// The name that the client gave in HELO or EHLO; empty before.
pub fn helo_name() -> String {
    host::session::helo_name()
}

/// How the client introduced itself.
pub fn helo() -> HeloKind {
    host::session::helo()
}

/// The protocol as in a Received line: SMTP, ESMTP, ESMTPA, ESMTPS, ESMTPSA.
pub fn protocol() -> String {
    host::session::protocol()
}

/// What a proxy in front of the gateway said about the client; `None` without a proxy.
pub fn proxy() -> Option<Proxy> {
    host::session::proxy().map(Proxy::from)
}

/// What the listener does with a CR or LF that is not part of a CRLF.
pub fn line_endings() -> LineEndingMode {
    host::session::line_endings()
}

/// The current text after the host name in the 220 banner.
pub fn banner() -> String {
    host::session::banner()
}

/// The current text after the host name in the reply to HELO and EHLO.
pub fn greeting() -> String {
    host::session::greeting()
}

/// True if the session is encrypted.
pub fn encrypted() -> bool {
    host::session::encrypted()
}

/// The encryption of the session; `None` if it is not encrypted.
pub fn tls() -> Option<TlsFacts> {
    host::session::tls()
}

/// The identity that the client acts as; `None` if it has not authenticated.
pub fn authenticated_as() -> Option<String> {
    host::session::authenticated_as()
}

/// How the client has authenticated; `None` if it has not.
pub fn authentication() -> Option<AuthenticationFacts> {
    host::session::authentication()
}

/// The sender of the current transaction, with the edits so far; `None` outside a transaction.
pub fn sender() -> Option<Sender> {
    host::session::sender().map(Sender::new)
}

/// The ESMTP parameters of MAIL in the client's order: names in capitals, and values.
pub fn mail_parameters() -> Vec<(String, String)> {
    host::session::mail_parameters()
        .into_iter()
        .map(split)
        .collect()
}

/// The accepted recipients of the current transaction, in order, with the edits so far.
pub fn recipients() -> Vec<Address> {
    host::session::recipients()
        .into_iter()
        .map(Address::new)
        .collect()
}

/// The ESMTP parameters of the recipient with this index in [`recipients`]: names in capitals, and
/// values.
pub fn recipient_parameters(index: u32) -> Vec<(String, String)> {
    let parameters = host::session::recipient_parameters(index);
    parameters.into_iter().map(split).collect()
}

/// How many commands of this session were refused because of errors of the client.
pub fn error_count() -> u32 {
    host::session::error_count()
}

/// The most recent of these errors, at most 32, the oldest first.
pub fn errors() -> Vec<ClientError> {
    host::session::errors()
}

/// The tags that plugins have set so far in this session, in order: names and values.
pub fn tags() -> Vec<(String, String)> {
    host::session::tags().into_iter().map(split).collect()
}

/// What a proxy in front of the gateway said about the client (PROXY protocol).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The version of the protocol, 1 or 2.
    pub version: u8,
    /// The protocol between client and proxy: `TCP4`, `TCP6`, or `UNKNOWN` if the proxy does not
    /// know it or connects on its own behalf.
    pub protocol: String,
    /// The address that the client connected from; `None` if the proxy did not say.
    pub source_ip: Option<IpAddr>,
    /// The port that the client connected from; 0 if the proxy did not say.
    pub source_port: u16,
    /// The address that the client connected to; `None` if the proxy did not say.
    pub destination_ip: Option<IpAddr>,
    /// The port that the client connected to; 0 if the proxy did not say.
    pub destination_port: u16,
    /// The host name that the client asked for in TLS to the proxy (SNI).
    pub authority: Option<String>,
    /// The application protocol that the client and the proxy agreed on (ALPN).
    pub alpn: Option<String>,
    /// True if the client used TLS to the proxy.
    pub tls: bool,
}

impl From<ProxyHeader> for Proxy {
    fn from(header: ProxyHeader) -> Self {
        let address = |text: Option<String>| text?.parse().ok();
        Self {
            version: header.version,
            protocol: header.protocol,
            source_ip: address(header.source_ip),
            source_port: header.source_port,
            destination_ip: address(header.destination_ip),
            destination_port: header.destination_port,
            authority: header.authority,
            alpn: header.alpn,
            tls: header.tls,
        }
    }
}

fn split(pair: Pair) -> (String, String) {
    (pair.name, pair.value)
}
