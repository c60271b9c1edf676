//! The name servers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use toml::de::DeValue;

use super::document::Section;
use super::value::Setting;

/// The name servers, for the host names of clients and for plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// The name servers. If empty, those of the system.
    pub servers: Vec<SocketAddr>,
    /// The time limit of a query, above 0.
    pub timeout: Duration,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(5),
        }
    }
}

pub(super) fn read(section: &mut Section<'_>) -> DnsSettings {
    let default = DnsSettings::default();
    let servers: Vec<NameServer> = section.list("servers").unwrap_or_default();
    DnsSettings {
        servers: servers
            .into_iter()
            .map(|NameServer(address)| address)
            .collect(),
        timeout: section.timeout("timeout", default.timeout),
    }
}

/// The address of a name server.
struct NameServer(SocketAddr);

impl Setting for NameServer {
    const ALLOWED: &'static str =
        r#"an IP address, or one with a port, such as "192.0.2.1", "192.0.2.1:53" or "[::1]:53""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let text = value.as_str()?;
        let on_default_port = |ip: IpAddr| SocketAddr::new(ip, DNS_PORT);
        text.parse()
            .or_else(|_| text.parse().map(on_default_port))
            .ok()
            .filter(|address: &SocketAddr| address.port() != 0)
            .map(Self)
    }
}

const DNS_PORT: u16 = 53;
