//! The recorded facts of the connection and of TLS.

use std::net::SocketAddr;

use postgate_proto::proxy::ProxyHeader;
use serde::{Deserialize, Serialize};

use super::error::SnapshotError;
use super::names::LINE_ENDINGS;
use crate::context::{ClientCertificate, RemoteHost, SessionFacts, TlsFacts};
use crate::recording::octets::Octets;

/// The recorded [`SessionFacts`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Session {
    id: String,
    connected_at: u32,
    listener: String,
    hostname: String,
    banner: String,
    local: SocketAddr,
    remote: SocketAddr,
    remote_host: Option<String>,
    remote_host_check: String,
    proxy: Option<Proxy>,
    line_endings: String,
}

/// The recorded [`ProxyHeader`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Proxy {
    version: u8,
    addresses: Option<(SocketAddr, SocketAddr)>,
    authority: Option<String>,
    alpn: Option<Octets>,
    tls: bool,
}

/// The recorded [`TlsFacts`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Tls {
    since: u32,
    version: String,
    cipher: String,
    server_name: Option<String>,
    alpn: Option<String>,
    client_certificate: Option<Certificate>,
    is_resumed: bool,
}

/// The recorded [`ClientCertificate`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Certificate {
    subject: String,
    issuer: String,
    names: Vec<String>,
    fingerprint: String,
    verified: bool,
}

pub(super) fn session(facts: &SessionFacts) -> Session {
    Session {
        id: facts.id.clone(),
        connected_at: facts.connected_at,
        listener: facts.listener.clone(),
        hostname: facts.hostname.clone(),
        banner: facts.banner.clone(),
        local: facts.local,
        remote: facts.remote,
        remote_host: facts.remote_host.name().map(str::to_owned),
        remote_host_check: check(&facts.remote_host).to_owned(),
        proxy: facts.proxy.as_ref().map(|proxy| Proxy {
            version: proxy.version,
            addresses: proxy.addresses,
            authority: proxy.authority.clone(),
            alpn: proxy.alpn.clone().map(Octets),
            tls: proxy.tls,
        }),
        line_endings: LINE_ENDINGS.name(facts.line_endings).to_owned(),
    }
}

/// The recorded name of the way in which the host name was found.
const fn check(host: &RemoteHost) -> &'static str {
    match host {
        RemoteHost::Confirmed(_) => "confirmed",
        RemoteHost::Told(_) => "told",
        RemoteHost::Unconfirmed => "unconfirmed",
        RemoteHost::Unknown => "unknown",
    }
}

impl Session {
    fn remote_host(&self) -> Result<RemoteHost, SnapshotError> {
        let name = self.remote_host.clone();
        match (self.remote_host_check.as_str(), name) {
            ("confirmed", Some(name)) => Ok(RemoteHost::Confirmed(name)),
            ("told", Some(name)) => Ok(RemoteHost::Told(name)),
            ("unconfirmed", None) => Ok(RemoteHost::Unconfirmed),
            ("unknown", None) => Ok(RemoteHost::Unknown),
            (check, _) => Err(SnapshotError::RemoteHost(check.to_owned())),
        }
    }

    pub(super) fn facts(&self) -> Result<SessionFacts, SnapshotError> {
        Ok(SessionFacts {
            id: self.id.clone(),
            connected_at: self.connected_at,
            listener: self.listener.clone(),
            hostname: self.hostname.clone(),
            banner: self.banner.clone(),
            local: self.local,
            remote: self.remote,
            remote_host: self.remote_host()?,
            proxy: self.proxy.clone().map(|proxy| ProxyHeader {
                version: proxy.version,
                addresses: proxy.addresses,
                authority: proxy.authority,
                alpn: proxy.alpn.map(|Octets(octets)| octets),
                tls: proxy.tls,
            }),
            line_endings: LINE_ENDINGS.value(&self.line_endings)?,
        })
    }
}

pub(super) fn tls(facts: &TlsFacts) -> Tls {
    Tls {
        since: facts.since,
        version: facts.version.to_owned(),
        cipher: facts.cipher.clone(),
        server_name: facts.server_name.clone(),
        alpn: facts.alpn.clone(),
        client_certificate: facts
            .client_certificate
            .clone()
            .map(|certificate| Certificate {
                subject: certificate.subject,
                issuer: certificate.issuer,
                names: certificate.names,
                fingerprint: certificate.fingerprint,
                verified: certificate.verified,
            }),
        is_resumed: facts.is_resumed,
    }
}

impl Tls {
    pub(super) fn facts(&self) -> Result<TlsFacts, SnapshotError> {
        let versions = ["TLSv1.2", "TLSv1.3"];
        let version = versions
            .into_iter()
            .find(|version| *version == self.version);
        Ok(TlsFacts {
            since: self.since,
            version: version.ok_or_else(|| SnapshotError::UnknownName {
                kind: "TLS version",
                name: self.version.clone(),
            })?,
            cipher: self.cipher.clone(),
            server_name: self.server_name.clone(),
            alpn: self.alpn.clone(),
            client_certificate: self.client_certificate.clone().map(|certificate| {
                ClientCertificate {
                    subject: certificate.subject,
                    issuer: certificate.issuer,
                    names: certificate.names,
                    fingerprint: certificate.fingerprint,
                    verified: certificate.verified,
                }
            }),
            is_resumed: self.is_resumed,
        })
    }
}
