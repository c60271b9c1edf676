//! Server processes that end with the test.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::command::shown;
use crate::PATIENCE;

/// A server process. It is killed when this is dropped.
pub(super) struct Server(Child);

impl Server {
    /// Starts a server on a free port, and waits until it accepts connections. Another process may take
    /// the port before the server does; it is then started again on another one.
    pub(super) fn start(command: impl Fn(SocketAddr) -> Command) -> (Self, SocketAddr) {
        for _ in 0..5 {
            let address = free_address();
            let mut command = command(address);
            let child = command
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}", shown(command.get_program())));
            let mut server = Self(child);
            if server.is_listening(address) {
                return (server, address);
            }
        }
        panic!("a server ended five times before it accepted a connection");
    }

    /// True once the server accepts connections. False if it ends before that.
    fn is_listening(&mut self, address: SocketAddr) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if TcpStream::connect(address).is_ok() {
                return true;
            }
            if !matches!(self.0.try_wait(), Ok(None)) {
                return false;
            }
            pause();
        }
        panic!("a server does not accept connections on {address}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails if the process has already ended.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Returns a loopback address on which no process listens at the moment.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
}

/// Waits a few milliseconds, for tests that poll.
pub fn pause() {
    std::thread::park_timeout(Duration::from_millis(5));
}

/// True if the tests run as root. Some servers then have to be told to change to another user.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
