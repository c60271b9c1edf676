//! The PROXY protocol, versions 1 and 2.
//!
//! The crate `ppp` parses the header. This module limits its length and extracts what is used.

use std::net::{IpAddr, SocketAddr};

use ppp::v2::{self, Command, Type};
use ppp::{HeaderResult, PartialResult, v1};

/// A PROXY header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The version of the protocol, 1 or 2.
    pub version: u8,
    /// The source and destination of the client's connection. `None` if the proxy does not know them,
    /// or if the connection is its own: then those of the socket apply.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// The server name that the client requested in TLS (SNI).
    pub authority: Option<String>,
    /// The protocol negotiated in TLS (ALPN).
    pub alpn: Option<Vec<u8>>,
    /// True if the client used TLS to the proxy.
    pub tls: bool,
}

impl ProxyHeader {
    /// The protocol as version 1 names it: `TCP4`, `TCP6` or `UNKNOWN`.
    pub const fn protocol(&self) -> &'static str {
        match self.addresses {
            Some((SocketAddr::V4(_), _)) => "TCP4",
            Some((SocketAddr::V6(_), _)) => "TCP6",
            None => "UNKNOWN",
        }
    }
}

/// The result of [`parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A complete header, and its length in octets. The octets after it belong to the session.
    Header(ProxyHeader, usize),
    /// More octets are needed.
    Incomplete,
    /// Not a valid PROXY header.
    Invalid,
}

/// The maximum length of a header of version 2 in octets.
pub const MAX_HEADER: usize = 4_096;

/// The maximum length of a header of version 1 in octets, including CRLF.
const MAX_VERSION_1: usize = 107;

/// Parses the start of a connection.
pub fn parse(octets: &[u8]) -> Parsed {
    let is_text = octets.starts_with(b"PROXY") || b"PROXY".starts_with(octets);
    let line_end = octets
        .windows(2)
        .take(MAX_VERSION_1)
        .position(|pair| pair == b"\r\n");
    // A header of version 1 is one line. Only a complete line can be parsed.
    let octets = match (is_text, line_end) {
        (true, Some(end)) => &octets[..end + 2],
        (true, None) if octets.len() < MAX_VERSION_1 => return Parsed::Incomplete,
        (true, None) => return Parsed::Invalid,
        (false, _) => octets,
    };
    let result = HeaderResult::parse(octets);
    if !is_text && result.is_incomplete() && octets.len() < MAX_HEADER {
        return Parsed::Incomplete;
    }
    let parsed = match result {
        HeaderResult::V1(Ok(header)) => version_1(&header),
        HeaderResult::V2(Ok(header)) => version_2(&header),
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => None,
    };
    parsed.map_or(Parsed::Invalid, |(header, length)| {
        Parsed::Header(header, length)
    })
}

fn version_1(header: &v1::Header<'_>) -> Option<(ProxyHeader, usize)> {
    let addresses = match &header.addresses {
        v1::Addresses::Tcp4(ip) => pair(
            (ip.source_address.into(), ip.source_port),
            (ip.destination_address.into(), ip.destination_port),
        )?
        .into(),
        v1::Addresses::Tcp6(ip) => pair(
            (ip.source_address.into(), ip.source_port),
            (ip.destination_address.into(), ip.destination_port),
        )?
        .into(),
        v1::Addresses::Unknown => None,
    };
    let header_said = ProxyHeader {
        version: 1,
        addresses,
        authority: None,
        alpn: None,
        tls: false,
    };
    // The rest of an incomplete line would be read as a command.
    let is_whole = header.header.ends_with("\r\n");
    is_whole.then_some((header_said, header.header.len()))
}

fn version_2(header: &v2::Header<'_>) -> Option<(ProxyHeader, usize)> {
    let addresses = match (header.command, &header.addresses) {
        // LOCAL: a health check by the proxy.
        (Command::Local, _) => None,
        (Command::Proxy, v2::Addresses::IPv4(ip)) => pair(
            (ip.source_address.into(), ip.source_port),
            (ip.destination_address.into(), ip.destination_port),
        )?
        .into(),
        (Command::Proxy, v2::Addresses::IPv6(ip)) => pair(
            (ip.source_address.into(), ip.source_port),
            (ip.destination_address.into(), ip.destination_port),
        )?
        .into(),
        (Command::Proxy, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
    };
    let mut said = ProxyHeader {
        version: 2,
        addresses,
        authority: None,
        alpn: None,
        tls: false,
    };
    for tlv in header.tlvs() {
        let tlv = tlv.ok()?;
        match tlv.kind {
            kind if kind == Type::ALPN as u8 => said.alpn = Some(tlv.value.to_vec()),
            kind if kind == Type::Authority as u8 => {
                said.authority = String::from_utf8(tlv.value.to_vec()).ok();
            }
            // The lowest bit of the first octet is PP2_CLIENT_SSL: the client used TLS.
            kind if kind == Type::SSL as u8 => {
                said.tls = tlv.value.first().is_some_and(|flags| flags & 1 == 1);
            }
            _ => {}
        }
    }
    Some((said, header.len()))
}

/// Combines addresses and ports. Returns `None` if a port is 0, which no TCP connection has.
fn pair(
    (source, source_port): (IpAddr, u16),
    (destination, destination_port): (IpAddr, u16),
) -> Option<(SocketAddr, SocketAddr)> {
    let is_complete = source_port != 0 && destination_port != 0;
    is_complete.then(|| {
        (
            SocketAddr::new(source, source_port),
            SocketAddr::new(destination, destination_port),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_good_and_bad() {
        let table: [(&str, Option<&str>); 16] = [
            (
                "PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\nEHLO x\r\n",
                Some("1.1.1.1:1111 2.2.2.2:2222"),
            ),
            (
                "PROXY TCP6 003::0003 4::4 3333 4444\r\n",
                Some("[3::3]:3333 [4::4]:4444"),
            ),
            ("PROXY UNKNOWN\r\n", Some("-")),
            ("PROXY UNKNOWN anything at all\r\n", Some("-")),
            ("PROXY TCP4 1.1.1.1 2.2.2.2 0 2222\r\n", None),
            ("PROXY TCP4 1.1.1.1 2.2.2.2 1111 65536\r\n", None),
            ("PROXY TCP4 1.1.1.300 2.2.2.2 1 2\r\n", None),
            ("PROXY TCP4 3::3 4::4 1 2\r\n", None),
            ("PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", None),
            ("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", None),
            ("PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n", None),
            ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", None),
            ("PROXY UNKNOWN 2 \n\r~2\r\n", None),
            ("PROXY UNKNOWN x\rEHLO y\r\n", None),
            ("PROXY\r\n", None),
            ("EHLO example\r\n", None),
        ];
        for (text, expected) in table {
            let shown = match parse(text.as_bytes()) {
                Parsed::Header(header, length) => {
                    assert!(text[..length].ends_with("\r\n"), "{text}");
                    let shown = header.addresses.map(|(from, to)| format!("{from} {to}"));
                    Some(shown.unwrap_or_else(|| "-".into()))
                }
                Parsed::Incomplete => panic!("{text} is complete"),
                Parsed::Invalid => None,
            };
            assert_eq!(shown.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_header_may_come_in_pieces() {
        let text = b"PROXY TCP4 1.1.1.1 2.2.2.2 1111 2222\r\n";
        for end in 1..text.len() {
            assert_eq!(parse(&text[..end]), Parsed::Incomplete, "{end}");
        }
        let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        binary.extend([1, 1, 1, 1, 2, 2, 2, 2, 4, 87, 8, 174]);
        for end in 1..binary.len() {
            assert_eq!(parse(&binary[..end]), Parsed::Incomplete, "{end}");
        }
        binary.extend(b"EHLO");
        let Parsed::Header(header, length) = parse(&binary) else {
            panic!("the header is complete");
        };
        assert_eq!((header.version, length), (2, 28));
        let (from, to) = header.addresses.unwrap();
        assert_eq!(
            (from.to_string(), to.to_string()),
            ("1.1.1.1:1111".into(), "2.2.2.2:2222".into())
        );
    }

    #[test]
    fn a_header_does_not_grow_without_end() {
        assert_eq!(parse(&vec![b'P'; MAX_HEADER]), Parsed::Invalid);
        let mut endless = b"PROXY UNKNOWN ".to_vec();
        endless.resize(MAX_HEADER, b'x');
        assert_eq!(parse(&endless), Parsed::Invalid);
    }
}
