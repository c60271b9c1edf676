//! The PROXY protocol, versions 1 and 2.
//!
//! The crate `ppp` parses the header. This module limits its length and extracts what is used.

use std::net::SocketAddr;

use ppp::v2::{self, Protocol, Type};
use ppp::{HeaderResult, PartialResult, v1};

/// A PROXY header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The version of the protocol, 1 or 2.
    pub version: u8,
    /// The source and destination of the client's connection. `None` if the proxy does not know them,
    /// if they are not those of a TCP connection, or if the connection is the proxy's own: then those
    /// of the socket apply.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// The server name that the client requested in TLS (SNI).
    pub authority: Option<String>,
    /// The protocol negotiated in TLS (ALPN).
    pub alpn: Option<Vec<u8>>,
    /// True if the client used TLS to the proxy.
    pub tls: bool,
}

impl ProxyHeader {
    const fn without_addresses(version: u8) -> Self {
        Self {
            version,
            addresses: None,
            authority: None,
            alpn: None,
            tls: false,
        }
    }

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

/// What each header of version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2 and the command LOCAL: a connection of the proxy itself, such as a health check.
const LOCAL: u8 = 0x20;

/// The maximum length of a header in octets: what the length field of version 2 can say.
pub const MAX_HEADER: usize = SIGNATURE.len() + 4 + u16::MAX as usize;

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
    if let Some(parsed) = local(octets) {
        return parsed;
    }
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

/// Parses a header with the command LOCAL. Whatever stands in its block is discarded, the address
/// family too (section 2.2 of the specification). Returns `None` if this is no such header.
fn local(octets: &[u8]) -> Option<Parsed> {
    let block = octets.strip_prefix(SIGNATURE)?.strip_prefix(&[LOCAL])?;
    let [_family, high, low, ..] = *block else {
        return Some(Parsed::Incomplete);
    };
    let length = SIGNATURE.len() + 4 + usize::from(u16::from_be_bytes([high, low]));
    Some(match octets.len() < length {
        true => Parsed::Incomplete,
        false => Parsed::Header(ProxyHeader::without_addresses(2), length),
    })
}

fn version_1(header: &v1::Header<'_>) -> Option<(ProxyHeader, usize)> {
    let addresses = match &header.addresses {
        v1::Addresses::Tcp4(ip) => Some((
            (ip.source_address, ip.source_port).into(),
            (ip.destination_address, ip.destination_port).into(),
        )),
        v1::Addresses::Tcp6(ip) => Some((
            (ip.source_address, ip.source_port).into(),
            (ip.destination_address, ip.destination_port).into(),
        )),
        v1::Addresses::Unknown => None,
    };
    let header_said = ProxyHeader {
        addresses,
        ..ProxyHeader::without_addresses(1)
    };
    // The rest of an incomplete line would be read as a command.
    let is_whole = header.header.ends_with("\r\n");
    is_whole.then_some((header_said, header.header.len()))
}

fn version_2(header: &v2::Header<'_>) -> Option<(ProxyHeader, usize)> {
    // The command is PROXY: `local` has taken the other one. No client of SMTP comes by datagrams, and
    // as HAProxy does, the addresses of the socket are used instead.
    let addresses = match (header.protocol, &header.addresses) {
        (Protocol::Stream, v2::Addresses::IPv4(ip)) => Some((
            (ip.source_address, ip.source_port).into(),
            (ip.destination_address, ip.destination_port).into(),
        )),
        (Protocol::Stream, v2::Addresses::IPv6(ip)) => Some((
            (ip.source_address, ip.source_port).into(),
            (ip.destination_address, ip.destination_port).into(),
        )),
        _ => None,
    };
    let mut said = ProxyHeader {
        addresses,
        ..ProxyHeader::without_addresses(2)
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
            (
                "PROXY TCP4 1.1.1.1 2.2.2.2 0 2222\r\n",
                Some("1.1.1.1:0 2.2.2.2:2222"),
            ),
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
    fn version_2_good_and_bad() {
        const IPV4: [u8; 12] = [1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 8, 174];
        const BAD_TLV: [u8; 3] = [4, 0xff, 0xff];
        let bad_tlv_after_addresses = [IPV4.as_slice(), &BAD_TLV].concat();
        let table: [(u8, u8, &[u8], Option<&str>); 16] = [
            (0x21, 0x11, &IPV4, Some("1.1.1.1:0 2.2.2.2:2222")),
            (0x21, 0x12, &IPV4, Some("-")),
            (0x21, 0x10, &IPV4, Some("-")),
            (0x21, 0x13, &IPV4, None),
            (0x21, 0x00, &[], Some("-")),
            (0x21, 0x11, &bad_tlv_after_addresses, None),
            (0x21, 0x11, &IPV4[..11], None),
            (0x21, 0x41, &IPV4, None),
            (0x20, 0x00, &[], Some("-")),
            (0x20, 0x11, &IPV4, Some("-")),
            (0x20, 0x11, &IPV4[..11], Some("-")),
            (0x20, 0x00, &BAD_TLV, Some("-")),
            (0x20, 0x21, &bad_tlv_after_addresses, Some("-")),
            (0x20, 0xff, b"EHLO x\r\n", Some("-")),
            (0x22, 0x11, &IPV4, None),
            (0x11, 0x11, &IPV4, None),
        ];
        for (command, family, block, expected) in table {
            let length = u8::try_from(block.len()).unwrap();
            let header = [SIGNATURE, &[command, family, 0, length], block].concat();
            let with_session = [header.as_slice(), b"EHLO x\r\n"].concat();
            let shown = match parse(&with_session) {
                Parsed::Header(said, end) => {
                    assert_eq!(end, header.len(), "{}", header.escape_ascii());
                    let shown = said.addresses.map(|(from, to)| format!("{from} {to}"));
                    Some(shown.unwrap_or_else(|| "-".into()))
                }
                Parsed::Incomplete => panic!("{} is complete", header.escape_ascii()),
                Parsed::Invalid => None,
            };
            assert_eq!(shown.as_deref(), expected, "{}", header.escape_ascii());
            if expected.is_some() {
                for end in 1..header.len() {
                    assert_eq!(parse(&header[..end]), Parsed::Incomplete, "{end}");
                }
            }
        }
    }

    #[test]
    fn a_header_is_as_long_as_it_says() {
        // A TLV of type PP2_TYPE_NOOP as long as it can be behind the addresses.
        let mut block = vec![1, 1, 1, 1, 2, 2, 2, 2, 4, 87, 8, 174, 4];
        let rest = u16::MAX - 15;
        block.extend(rest.to_be_bytes());
        block.resize(usize::from(u16::MAX), 0);
        for (command, port) in [(0x21, Some(1111)), (LOCAL, None)] {
            let header = [SIGNATURE, &[command, 0x11, 0xff, 0xff], &block].concat();
            assert_eq!(header.len(), MAX_HEADER);
            let short = &header[..MAX_HEADER - 1];
            assert_eq!(parse(short), Parsed::Incomplete, "{command}");
            let Parsed::Header(said, length) = parse(&[&header[..], b"EHLO x"].concat()) else {
                panic!("the header is complete");
            };
            assert_eq!(length, MAX_HEADER, "{command}");
            assert_eq!(said.addresses.map(|(from, _)| from.port()), port);
        }
    }

    #[test]
    fn a_header_does_not_grow_without_end() {
        assert_eq!(parse(&vec![b'P'; MAX_HEADER]), Parsed::Invalid);
        let mut endless = b"PROXY UNKNOWN ".to_vec();
        endless.resize(MAX_HEADER, b'x');
        assert_eq!(parse(&endless), Parsed::Invalid);
    }
}
