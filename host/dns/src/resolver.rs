//! The resolver.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time;
use tracing::{debug, warn};

use super::error::DnsError;
use super::name::parse;
use super::reverse::ReverseName;
use super::sockets::Sockets;

/// A resolver with a cache, shared by all sessions.
#[derive(Clone)]
pub struct Dns {
    /// `None` if it could not be set up. Every query fails then.
    resolver: Option<Resolver<Sockets>>,
    sockets: Sockets,
    timeout: Duration,
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Default for Dns {
    /// A resolver that queries the name servers of the system.
    fn default() -> Self {
        Self::new(&[], Duration::from_secs(5))
    }
}

impl Dns {
    /// A resolver that queries `servers`, or those of the system if the list is empty. Each query
    /// takes at most `timeout`.
    pub fn new(servers: &[SocketAddr], timeout: Duration) -> Self {
        let sockets = Sockets::default();
        let resolver = match servers {
            [] => Resolver::builder(sockets.clone()).and_then(|mut builder| {
                set_options(builder.options_mut(), timeout);
                builder.build()
            }),
            servers => {
                let servers = servers.iter().copied().map(name_server).collect();
                let config = ResolverConfig::from_parts(None, Vec::new(), servers);
                let mut builder = Resolver::builder_with_config(config, sockets.clone());
                set_options(builder.options_mut(), timeout);
                builder.build()
            }
        };
        let resolver = resolver
            .inspect_err(|error| warn!(%error, "cannot set up the resolver: every DNS query fails"))
            .ok();
        Self {
            resolver,
            sockets,
            timeout,
        }
    }

    /// The IPv4 addresses of a name.
    ///
    /// # Errors
    ///
    /// Fails if there are none, `name` is not a domain name, or no server answers in time.
    pub async fn ipv4(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        self.records(name, RecordType::A, |data| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            _ => None,
        })
        .await
    }

    /// The IPv6 addresses of a name.
    ///
    /// # Errors
    ///
    /// As [`Self::ipv4`].
    pub async fn ipv6(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        self.records(name, RecordType::AAAA, |data| match data {
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        })
        .await
    }

    /// The mail exchangers of a domain with their preferences, the most preferred first. The host
    /// name of a null MX (RFC 7505) is empty.
    ///
    /// # Errors
    ///
    /// As [`Self::ipv4`].
    pub async fn mx(&self, name: &str) -> Result<Vec<(u16, String)>, DnsError> {
        let mut exchangers = self
            .records(name, RecordType::MX, |data| match data {
                RData::MX(mx) => Some((mx.preference, without_root(&mx.exchange))),
                _ => None,
            })
            .await?;
        exchangers.sort();
        Ok(exchangers)
    }

    /// The TXT records of a name, each with its strings joined.
    ///
    /// # Errors
    ///
    /// As [`Self::ipv4`].
    pub async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        self.records(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        })
        .await
    }

    /// The host names of an address.
    ///
    /// # Errors
    ///
    /// As [`Self::ipv4`].
    pub async fn ptr(&self, address: IpAddr) -> Result<Vec<String>, DnsError> {
        let name = Name::from(address).to_ascii();
        self.records(&name, RecordType::PTR, |data| match data {
            RData::PTR(name) => Some(without_root(&name.0)),
            _ => None,
        })
        .await
    }

    /// The host name of a client, confirmed by the addresses of that name: the owner of an address
    /// can claim any name for it. All queries together take at most the time of one.
    pub async fn reverse_name(&self, address: IpAddr) -> ReverseName {
        let found = time::timeout(self.timeout, self.confirmed_name(address)).await;
        match found {
            Ok(Ok(name)) => ReverseName::Confirmed(name),
            Ok(Err(DnsError::NotFound | DnsError::Invalid)) => ReverseName::Unconfirmed,
            Ok(Err(DnsError::Failed | DnsError::NoResources)) | Err(_) => ReverseName::Unanswered,
        }
    }

    async fn confirmed_name(&self, address: IpAddr) -> Result<String, DnsError> {
        let mut failure = DnsError::NotFound;
        for name in self.ptr(address).await?.into_iter().take(MAX_NAMES) {
            let addresses = match address {
                IpAddr::V4(_) => self.ipv4(&name).await,
                IpAddr::V6(_) => self.ipv6(&name).await,
            };
            match addresses {
                Ok(addresses) if addresses.contains(&address) => return Ok(name),
                // This name might have been the right one.
                Err(error @ (DnsError::Failed | DnsError::NoResources)) => failure = error,
                Ok(_) | Err(_) => {}
            }
        }
        Err(failure)
    }

    async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, DnsError> {
        let name = parse(name).ok_or(DnsError::Invalid)?;
        let resolver = self.resolver.as_ref().ok_or(DnsError::Failed)?;
        let failed = |error: &dyn fmt::Display| {
            // It may show a response in several lines.
            let error = error.to_string();
            debug!(%name, %kind, ?error, "DNS query failed");
            DnsError::Failed
        };
        let lookup = async {
            let lookup = resolver.lookup(name.clone(), kind);
            match time::timeout(self.timeout, lookup).await {
                Ok(Err(error)) if error.is_nx_domain() || error.is_no_records_found() => Ok(None),
                Ok(Ok(answer)) => Ok(Some(answer)),
                Ok(Err(error)) => Err(failed(&error)),
                Err(error) => Err(failed(&error)),
            }
        };
        let answer = self.sockets.while_there_are(lookup).await;
        let answer = answer.unwrap_or(Err(DnsError::NoResources))?;
        let answer = answer.ok_or(DnsError::NotFound)?;
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

fn set_options(options: &mut ResolverOpts, timeout: Duration) {
    options.timeout = timeout;
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

/// The text of a name without the dot of the root.
fn without_root(name: &Name) -> String {
    let text = name.to_utf8();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// The most names of an address that are checked.
const MAX_NAMES: usize = 5;

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn names_end_without_a_dot() {
        for (name, expected) in [
            ("mx.example.org.", "mx.example.org"),
            (".", ""),
            ("mx", "mx"),
        ] {
            assert_eq!(without_root(&Name::from_utf8(name).unwrap()), expected);
        }
    }

    #[tokio::test]
    async fn a_query_without_an_answer_fails() {
        // Nothing answers: the socket is never read.
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let servers = [silent.local_addr().unwrap()];
        let dns = Dns::new(&servers, Duration::from_millis(50));
        assert_eq!(dns.txt("example.org").await, Err(DnsError::Failed));
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(dns.reverse_name(address).await, ReverseName::Unanswered);
    }

    #[tokio::test]
    async fn a_query_for_an_invalid_name_fails() {
        let dns = Dns::new(&[], Duration::from_secs(5));
        for name in ["", "a..b", &"a".repeat(64)] {
            assert_eq!(dns.ipv4(name).await, Err(DnsError::Invalid), "{name}");
        }
    }
}
