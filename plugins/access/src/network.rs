//! Networks in CIDR notation (RFC 4632, RFC 4291 §2.3).

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;

/// A network such as `192.0.2.0/24` or `2001:db8::/32`, or a single address.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(crate) struct Network {
    address: IpAddr,
    length: u32,
}

impl Network {
    /// True if the address belongs to the network. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`)
    /// counts as the IPv4 address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.covers(&Self::single(address.to_canonical()))
    }

    /// True if the other network lies inside this one, or is the same.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.length <= other.length
            && bits(self.address) == bits(other.address) & mask(self.length)
    }

    fn single(address: IpAddr) -> Self {
        Self {
            address,
            length: width(address),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text.as_str(), None),
        };
        let (Ok(address), Ok(length)) = (address.parse(), length.map(str::parse).transpose())
        else {
            return Err(InvalidNetwork::Syntax(text));
        };
        let network = Self {
            address,
            length: length.unwrap_or_else(|| width(address)),
        };
        if network.length > width(address) {
            return Err(InvalidNetwork::Syntax(text));
        }
        match bits(address) & !mask(network.length) {
            0 => Ok(network),
            _ => Err(InvalidNetwork::HostBits(text)),
        }
    }
}

/// Why a text is not a network.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InvalidNetwork {
    /// Bits are set after the prefix: either the address or the length is wrong.
    HostBits(String),
    /// The text is neither an address nor an address with a prefix length.
    Syntax(String),
}

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostBits(text) => write!(f, "{text} has bits set behind its prefix"),
            Self::Syntax(text) => write!(f, "{text:?} is no network such as 192.0.2.0/24"),
        }
    }
}

/// The address, aligned to the topmost bit, so that one mask works for both families.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// A mask with this many ones from the topmost bit on.
fn mask(length: u32) -> u128 {
    u128::MAX.checked_shl(u128::BITS - length).unwrap_or(0)
}

const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Result<Network, InvalidNetwork> {
        Network::try_from(text.to_owned())
    }

    #[test]
    fn networks_contain_their_addresses() {
        let table = [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.0/31", "192.0.2.1", true),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("::1", "::1", true),
        ];
        for (text, address, expected) in table {
            let contains = network(text).unwrap().contains(address.parse().unwrap());
            assert_eq!(contains, expected, "{text} {address}");
        }
    }

    #[test]
    fn mistakes_are_refused() {
        let table = [
            ("", "\"\" is no network such as 192.0.2.0/24"),
            (
                "example.org",
                "\"example.org\" is no network such as 192.0.2.0/24",
            ),
            (
                "192.0.2.0/33",
                "\"192.0.2.0/33\" is no network such as 192.0.2.0/24",
            ),
            (
                "192.0.2.0/",
                "\"192.0.2.0/\" is no network such as 192.0.2.0/24",
            ),
            (
                "2001:db8::/129",
                "\"2001:db8::/129\" is no network such as 192.0.2.0/24",
            ),
            (
                "192.0.2.1/24",
                "192.0.2.1/24 has bits set behind its prefix",
            ),
            (
                "2001:db8::1/64",
                "2001:db8::1/64 has bits set behind its prefix",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(network(text).unwrap_err().to_string(), expected);
        }
    }
}
