//! Questions to the Domain Name System: for reverse names of clients, and for plugins.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time::timeout;
use tracing::warn;

/// A resolver with a cache, shared by all sessions.
#[derive(Clone, Debug)]
pub struct Dns {
    resolver: Option<TokioResolver>,
    patience: Duration,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsError {
    /// No server answered in time, or not in a way that can be used.
    Failed,
    /// This is no name.
    Invalid,
    /// The name, or a record of this kind, does not exist.
    NotFound,
}

/// The servers of the system.
impl Default for Dns {
    fn default() -> Self {
        Self::new(&[], Duration::from_secs(5))
    }
}

impl Dns {
    /// Asks these servers, or those of the system where there are none. Each question waits at most
    /// `patience`.
    pub fn new(servers: &[SocketAddr], patience: Duration) -> Self {
        let resolver = match servers {
            [] => TokioResolver::builder_tokio().and_then(|mut builder| {
                adjust(builder.options_mut(), patience);
                builder.build()
            }),
            servers => {
                let servers = servers.iter().copied().map(name_server).collect();
                let config = ResolverConfig::from_parts(None, Vec::new(), servers);
                let mut builder =
                    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
                adjust(builder.options_mut(), patience);
                builder.build()
            }
        };
        let resolver = resolver
            .inspect_err(|error| warn!(%error, "no name servers, every question fails"))
            .ok();
        Self { resolver, patience }
    }

    /// The IPv4 addresses of a name.
    pub async fn ipv4(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        self.records(name, RecordType::A, |data| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            _ => None,
        })
        .await
    }

    /// The IPv6 addresses of a name.
    pub async fn ipv6(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        self.records(name, RecordType::AAAA, |data| match data {
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        })
        .await
    }

    /// The mail exchangers of a domain with their preferences, the most preferred first. The host
    /// name of a null MX (RFC 7505) is empty.
    pub async fn mx(&self, name: &str) -> Result<Vec<(u16, String)>, DnsError> {
        let mut exchangers = self
            .records(name, RecordType::MX, |data| match data {
                RData::MX(mx) => Some((mx.preference, spelled(&mx.exchange))),
                _ => None,
            })
            .await?;
        exchangers.sort();
        Ok(exchangers)
    }

    /// The TXT records of a name, each with its strings joined.
    pub async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        self.records(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        })
        .await
    }

    /// The names of an address.
    pub async fn ptr(&self, address: IpAddr) -> Result<Vec<String>, DnsError> {
        let name = Name::from(address).to_ascii();
        self.records(&name, RecordType::PTR, |data| match data {
            RData::PTR(name) => Some(spelled(&name.0)),
            _ => None,
        })
        .await
    }

    /// The name of a client, where it is confirmed by the name's own addresses: anybody can claim
    /// any name for his own address. All the questions together wait no longer than one.
    pub async fn reverse_name(&self, address: IpAddr) -> ReverseName {
        let found = timeout(self.patience, self.find_name(address)).await;
        match found {
            Ok(Ok(name)) => ReverseName::Confirmed(name),
            Ok(Err(DnsError::NotFound | DnsError::Invalid)) => ReverseName::Unconfirmed,
            Ok(Err(DnsError::Failed)) | Err(_) => ReverseName::Unanswered,
        }
    }

    async fn find_name(&self, address: IpAddr) -> Result<String, DnsError> {
        let mut fault = DnsError::NotFound;
        for name in self.ptr(address).await?.into_iter().take(MAX_NAMES) {
            let addresses = match address {
                IpAddr::V4(_) => self.ipv4(&name).await,
                IpAddr::V6(_) => self.ipv6(&name).await,
            };
            match addresses {
                Ok(addresses) if addresses.contains(&address) => return Ok(name),
                // One of these names may still be the right one.
                Err(DnsError::Failed) => fault = DnsError::Failed,
                Ok(_) | Err(_) => {}
            }
        }
        Err(fault)
    }

    async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, DnsError> {
        let mut name = Name::from_utf8(name).map_err(|_| DnsError::Invalid)?;
        name.set_fqdn(true);
        let resolver = self.resolver.as_ref().ok_or(DnsError::Failed)?;
        let answer = match timeout(self.patience, resolver.lookup(name, kind)).await {
            Err(_) => return Err(DnsError::Failed),
            Ok(Err(error)) => return Err(fault(&error)),
            Ok(Ok(answer)) => answer,
        };
        let records: Vec<_> = answer
            .answers()
            .iter()
            .filter_map(|record| pick(&record.data))
            .collect();
        match records.is_empty() {
            true => Err(DnsError::NotFound),
            false => Ok(records),
        }
    }
}

/// What is known about the name of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReverseName {
    /// This is its name, and leads back to it.
    Confirmed(String),
    /// The name servers did not answer.
    Unanswered,
    /// It has no name, or none that leads back to it.
    Unconfirmed,
}

/// So many names of one address are looked at.
const MAX_NAMES: usize = 5;

fn adjust(options: &mut ResolverOpts, patience: Duration) {
    options.timeout = patience;
    options.attempts = 1;
    options.positive_min_ttl = Some(Duration::from_mins(3));
    options.negative_min_ttl = Some(Duration::from_secs(30));
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(
        address.ip(),
        true,
        vec![
            on_port(ConnectionConfig::udp()),
            on_port(ConnectionConfig::tcp()),
        ],
    )
}

fn fault(error: &NetError) -> DnsError {
    match error.is_nx_domain() || error.is_no_records_found() {
        true => DnsError::NotFound,
        false => DnsError::Failed,
    }
}

/// Without the last dot.
fn spelled(name: &Name) -> String {
    let text = name.to_utf8();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}
