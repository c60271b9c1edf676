//! The configuration of a gateway.

use std::collections::BTreeMap;
use std::path::PathBuf;

use postgate_proto::reply::Reply;

use super::backend::Backend;
use super::dns::DnsSettings;
use super::limits::Limits;
use super::listener::Listener;
use super::log::Log;
use super::plugins::Plugins;
use super::relay::Relay;
use super::runtime::Runtime;
use super::tls::{CertificateFiles, Tls};

/// All settings of a gateway, except those of a single plugin
/// ([`Sidecar`](crate::sidecar::Sidecar)).
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The host name in the banner, in replies and in trace fields: a domain or an address literal.
    pub hostname: String,
    /// The file with the secret from which the SCRAM salts of unknown users are derived. It is
    /// created at startup if it does not exist. If `None`, these salts change at each start.
    pub auth_secret_file: Option<PathBuf>,
    /// The listeners, at least one.
    pub listeners: Vec<Listener>,
    /// The server certificates. If empty, a self-signed one is created at startup.
    pub certificates: Vec<CertificateFiles>,
    /// The TLS settings of all listeners.
    pub tls: Tls,
    /// The limits on clients. A listener can override them ([`Listener::limits`]).
    pub limits: Limits,
    /// The mail that unauthenticated clients may send. Without domains, they cannot send at all.
    pub relay: Relay,
    /// Replies that replace the default replies to client errors, by
    /// [`Fault::name`](postgate_proto::fault::Fault::name).
    pub replies: BTreeMap<String, Reply>,
    /// The destination of accepted mail. If `None`, every message that plugins do not discard or
    /// quarantine is refused with a temporary error.
    pub backend: Option<Backend>,
    /// The Maildir for quarantined messages.
    pub quarantine: Option<PathBuf>,
    /// The plugin directory and the loading of plugins.
    pub plugins: Plugins,
    /// The name servers.
    pub dns: DnsSettings,
    /// The Unix socket for control commands such as `postgate plugin list`. If `None`, there is
    /// none.
    pub control_socket: Option<PathBuf>,
    /// The level and format of the log.
    pub log: Log,
    /// The worker threads.
    pub runtime: Runtime,
}

impl Config {
    /// The names of the listeners, which sidecars of plugins can refer to.
    pub fn listener_names(&self) -> Vec<&str> {
        let names = self.listeners.iter().map(|listener| listener.name.as_str());
        let mut names: Vec<_> = names.collect();
        names.dedup();
        names
    }
}
