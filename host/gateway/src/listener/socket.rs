//! Listening sockets.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Binds a socket. An IPv6 socket does not accept IPv4 clients, regardless of the default of the system,
/// so that the same port can be bound for both.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // After a restart, connections of the last process may still be in the state TIME-WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The most connections that wait to be accepted. The system may allow fewer.
const BACKLOG: i32 = 1024;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[tokio::test]
    async fn ipv4_and_ipv6_can_bind_the_same_port() {
        let ipv4 = listen((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
        let port = ipv4.local_addr().unwrap().port();
        match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
            Ok(ipv6) => assert_eq!(ipv6.local_addr().unwrap().port(), port),
            Err(error) => assert_ne!(error.kind(), io::ErrorKind::AddrInUse),
        }
    }
}
