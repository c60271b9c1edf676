//! Addresses of listeners and backends, and networks.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::path::PathBuf;

use ipnet::IpNet;
use postgate_proto::address::Charset;
use toml::de::DeValue;

use super::value::{Setting, is_domain};

/// The protocol and address of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendAddress {
    /// LMTP over TCP (RFC 2033), written `lmtp://host:port`.
    Lmtp(HostPort),
    /// LMTP over a Unix socket, written `lmtp+unix:///path`.
    LmtpUnix(PathBuf),
    /// A local directory, written `maildir:PATH`.
    Maildir(PathBuf),
    /// SMTP over TCP, written `smtp://host:port`.
    Smtp(HostPort),
    /// SMTP over a Unix socket, written `smtp+unix:///path`.
    SmtpUnix(PathBuf),
}

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lmtp(address) => write!(f, "lmtp://{address}"),
            Self::LmtpUnix(path) => write!(f, "lmtp+unix://{}", path.display()),
            Self::Maildir(path) => write!(f, "maildir:{}", path.display()),
            Self::Smtp(address) => write!(f, "smtp://{address}"),
            Self::SmtpUnix(path) => write!(f, "smtp+unix://{}", path.display()),
        }
    }
}

/// A host and a port. A host name is resolved at each connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A host name, or an IP address without brackets.
    pub host: String,
    /// The port, 1 to 65535.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Setting for BackendAddress {
    const ALLOWED: &'static str = r#""smtp://host:port", "lmtp://host:port", "smtp+unix:///path", "lmtp+unix:///path" or "maildir:PATH""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let (scheme, rest) = value.as_str()?.split_once(':')?;
        match scheme {
            "smtp" => host_port(rest.strip_prefix("//")?).map(Self::Smtp),
            "lmtp" => host_port(rest.strip_prefix("//")?).map(Self::Lmtp),
            "smtp+unix" => absolute(rest.strip_prefix("//")?).map(Self::SmtpUnix),
            "lmtp+unix" => absolute(rest.strip_prefix("//")?).map(Self::LmtpUnix),
            "maildir" if !rest.is_empty() => Some(Self::Maildir(rest.into())),
            _ => None,
        }
    }
}

/// The addresses of a listener, separated by commas.
pub(super) struct ListenAddresses(pub(super) Vec<ListenAddress>);

impl Setting for ListenAddresses {
    const ALLOWED: &'static str = r#"an IP address, a host name or "*" for all, with a port, such as "127.0.0.1:2525", "[::1]:2525" or "*:25", or several of them, separated by commas"#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let items = value.as_str()?.split(',');
        let addresses = items.map(|item| ListenAddress::parse(item.trim()));
        addresses.collect::<Option<_>>().map(Self)
    }
}

/// One address of a listener.
#[derive(Clone)]
pub(super) enum ListenAddress {
    /// Every address of this machine.
    All(u16),
    /// All addresses of a name.
    Host(HostPort),
    /// One address.
    Ip(SocketAddr),
}

impl ListenAddress {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::Ip(address));
        }
        let (host, port) = text.rsplit_once(':')?;
        let port = parse_port(port)?;
        let host = host.to_owned();
        match &*host {
            "*" => Some(Self::All(port)),
            // Reject "127.0.0": it is a domain by syntax, but meant as an IP address.
            name if name.bytes().all(|b| b.is_ascii_digit() || b == b'.') => None,
            name if name.starts_with('[') || !is_domain(name, Charset::Ascii) => None,
            _ => Some(Self::Host(HostPort { host, port })),
        }
    }

    /// The host name. Returns `None` for an IP address and for `*`.
    pub(super) fn host(&self) -> Option<&str> {
        match self {
            Self::Host(HostPort { host, .. }) => Some(host),
            Self::All(_) | Self::Ip(_) => None,
        }
    }

    /// The addresses to bind, each once. Host names are resolved by the system.
    ///
    /// # Errors
    ///
    /// Fails if a host name cannot be resolved.
    pub(super) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::All(port) => Ok(wildcards(*port)),
            Self::Host(HostPort { host, port }) => {
                let mut found: Vec<_> = (host.as_str(), *port).to_socket_addrs()?.collect();
                found.sort_unstable();
                found.dedup();
                Ok(found)
            }
            Self::Ip(address) => Ok(vec![*address]),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(port) => write!(f, "*:{port}"),
            Self::Host(host) => write!(f, "{host}"),
            Self::Ip(address) => write!(f, "{address}"),
        }
    }
}

impl Setting for IpNet {
    const ALLOWED: &'static str = r#"an IP address or a network with only zeros after its prefix, such as "192.0.2.1", "10.0.0.0/8" or "2001:db8::/32""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let text = value.as_str()?;
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(address.to_canonical().into());
        }
        let net: Self = text.parse().ok()?;
        (net.trunc() == net).then(|| canonical(net))
    }
}

/// The network of IPv4 addresses that a network of IPv6 maps (RFC 4291 §2.5.5.2), or the network itself.
/// Clients over IPv4 never have mapped addresses here.
fn canonical(net: IpNet) -> IpNet {
    let address = net.addr().to_canonical();
    let mapped = || IpNet::new(address, net.prefix_len().checked_sub(96)?).ok();
    match address.is_ipv4() && net.addr().is_ipv6() {
        true => mapped().unwrap_or(net),
        false => net,
    }
}

/// The wildcard addresses of IPv4 and, if this machine supports it, of IPv6.
fn wildcards(port: u16) -> Vec<SocketAddr> {
    let has_ipv6 = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    let ipv6 = has_ipv6.then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let addresses = [IpAddr::V4(Ipv4Addr::UNSPECIFIED)].into_iter().chain(ipv6);
    addresses
        .map(|address| SocketAddr::new(address, port))
        .collect()
}

fn host_port(text: &str) -> Option<HostPort> {
    let (host, port) = text.rsplit_once(':')?;
    let port = parse_port(port).filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(literal) => ipv6(literal.strip_suffix(']')?)?,
        None => Some(host.to_owned()).filter(|host| is_domain(host, Charset::Ascii))?,
    };
    Some(HostPort { host, port })
}

fn parse_port(text: &str) -> Option<u16> {
    // Reject "+25": u16::from_str accepts a sign.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn ipv6(text: &str) -> Option<String> {
    text.parse::<Ipv6Addr>()
        .ok()
        .map(|address| address.to_string())
}

fn absolute(path: &str) -> Option<PathBuf> {
    path.starts_with('/').then(|| path.into())
}
