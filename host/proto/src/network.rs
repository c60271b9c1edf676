//! Which addresses count as one client.

use std::net::{IpAddr, Ipv6Addr};

/// The address by which a client is counted: an IPv4 address, also where it is mapped into IPv6, or
/// the first address of an IPv6 network of 64 bits, which one client usually has to itself.
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address => address,
    }
}
