//! Queries to the Domain Name System, answered from the gateway's cache if possible.
//!
//! The operator must grant it, with `grants = ["dns"]` in the sidecar file. The gateway waits for
//! an answer for a limited time, which counts towards the limit on the elapsed time of the event.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

pub use crate::bindings::imports::postgate::plugin::dns::MailExchanger;

use crate::bindings::imports::postgate::plugin::dns::DnsError;
use crate::host;

/// The IPv4 addresses of a name.
pub fn ipv4(name: &str) -> Result<Vec<Ipv4Addr>, Error> {
    Ok(parsed(&host::dns::ipv4(name)?))
}

/// The IPv6 addresses of a name.
pub fn ipv6(name: &str) -> Result<Vec<Ipv6Addr>, Error> {
    Ok(parsed(&host::dns::ipv6(name)?))
}

/// The mail exchangers of a domain (RFC 5321 §5.1), the most preferred first. The `exchange` of a
/// null MX (RFC 7505) is empty.
pub fn mx(name: &str) -> Result<Vec<MailExchanger>, Error> {
    Ok(host::dns::mx(name)?)
}

/// The TXT records of a name, each with its strings joined.
pub fn txt(name: &str) -> Result<Vec<String>, Error> {
    Ok(host::dns::txt(name)?)
}

/// The names of an address.
pub fn ptr(address: IpAddr) -> Result<Vec<String>, Error> {
    Ok(host::dns::ptr(&address.to_string())?)
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No server gave a usable answer in time. Try again later.
    Failed,
    /// The argument is not a valid name.
    Invalid,
    /// The name, or a record of this kind, does not exist.
    NotFound,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "no server answered",
            Self::Invalid => "this is no name",
            Self::NotFound => "there is no such record",
        })
    }
}

impl std::error::Error for Error {}

impl From<DnsError> for Error {
    fn from(error: DnsError) -> Self {
        match error {
            DnsError::Failed => Self::Failed,
            DnsError::Invalid => Self::Invalid,
            DnsError::NotFound => Self::NotFound,
        }
    }
}

/// Every address that the host returns can be parsed, so none is dropped.
fn parsed<T: FromStr>(texts: &[String]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}
