//! Facts about the session that the test defined.

use crate::bindings::imports::postgate::plugin::session::{
    AuthenticationFacts, ClientError, HostCheck, ProxyHeader, TlsFacts,
};
use crate::bindings::imports::postgate::plugin::types::Pair;
use crate::session::{HeloKind, LineEndingMode};
use crate::testing::{Session, WORLD};

pub(crate) fn id() -> String {
    "session-1".into()
}

pub(crate) fn transaction_id() -> String {
    let transaction = session(|session| session.sender.clone());
    transaction.map_or_else(String::new, |_| "transaction-1".into())
}

pub(crate) fn connected_at() -> u32 {
    1_700_000_000
}

pub(crate) fn listener() -> String {
    session(|session| session.listener.clone())
}

pub(crate) fn hostname() -> String {
    "mx.example.org".into()
}

pub(crate) fn local_ip() -> String {
    "192.0.2.25".into()
}

pub(crate) fn local_port() -> u16 {
    25
}

pub(crate) fn remote_ip() -> String {
    session(|session| session.remote_ip.clone())
}

pub(crate) fn remote_port() -> u16 {
    40_000
}

pub(crate) fn remote_host() -> String {
    session(|session| session.remote_host.clone())
}

pub(crate) fn remote_host_check() -> HostCheck {
    session(|session| session.remote_host_check)
}

pub(crate) fn helo_name() -> String {
    session(|session| session.helo_name.clone())
}

pub(crate) fn helo() -> HeloKind {
    session(|session| session.helo)
}

pub(crate) fn protocol() -> String {
    session(|session| {
        let extended = if session.helo == HeloKind::Ehlo {
            "E"
        } else {
            ""
        };
        let encrypted = if session.encrypted || session.tls.is_some() {
            "S"
        } else {
            ""
        };
        let authenticated = session.authenticated_as.as_ref().map_or("", |_| "A");
        format!("{extended}SMTP{encrypted}{authenticated}")
    })
}

pub(crate) fn proxy() -> Option<ProxyHeader> {
    session(|session| {
        let proxy = session.proxy.clone()?;
        Some(ProxyHeader {
            version: proxy.version,
            protocol: proxy.protocol,
            source_ip: proxy.source_ip.map(|ip| ip.to_string()),
            source_port: proxy.source_port,
            destination_ip: proxy.destination_ip.map(|ip| ip.to_string()),
            destination_port: proxy.destination_port,
            authority: proxy.authority,
            alpn: proxy.alpn,
            tls: proxy.tls,
        })
    })
}

pub(crate) fn line_endings() -> LineEndingMode {
    session(|session| session.line_endings)
}

pub(crate) fn banner() -> String {
    "ESMTP Postgate".into()
}

pub(crate) fn greeting() -> String {
    "greets you".into()
}

pub(crate) fn encrypted() -> bool {
    session(|session| session.encrypted || session.tls.is_some())
}

pub(crate) fn tls() -> Option<TlsFacts> {
    session(|session| session.tls.clone())
}

pub(crate) fn authenticated_as() -> Option<String> {
    session(|session| session.authenticated_as.clone())
}

pub(crate) fn authentication() -> Option<AuthenticationFacts> {
    session(|session| session.authentication.clone())
}

pub(crate) fn sender() -> Option<String> {
    session(|session| session.sender.clone())
}

pub(crate) fn mail_parameters() -> Vec<Pair> {
    session(|session| session.mail_parameters.clone())
}

pub(crate) fn recipients() -> Vec<String> {
    session(|session| session.recipients.clone())
}

pub(crate) fn recipient_parameters(index: u32) -> Vec<Pair> {
    session(|session| {
        let given = session.recipient_parameters.get(&index);
        given.cloned().unwrap_or_default()
    })
}

pub(crate) fn error_count() -> u32 {
    session(|session| session.error_count)
}

pub(crate) fn errors() -> Vec<ClientError> {
    session(|session| session.errors.clone())
}

pub(crate) fn tags() -> Vec<Pair> {
    session(|session| session.tags.clone())
}

fn session<R>(read: impl FnOnce(&Session) -> R) -> R {
    WORLD.with_borrow(|world| read(&world.session))
}
