//! Servers and clients of other projects, as they come from the distribution.

pub mod dkim;
mod dovecot;
mod haproxy;
mod postfix;
mod postfix_client;
mod swaks;
mod tls;

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use crate::PATIENCE;

pub use dovecot::Dovecot;
pub use haproxy::HaProxy;
pub use postfix::{SmtpSink, smtp_source};
pub use postfix_client::Postfix;
pub use swaks::swaks;
pub use tls::{converse, s_client, s_client_starttls};

/// A program by its name, wherever the distribution put it.
///
/// # Panics
///
/// Where it is not installed.
pub fn program(name: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let found = places
        .map(|place| place.join(name))
        .find(|program| program.is_file());
    match found {
        Some(program) => Command::new(program),
        None => panic!("{name} is not installed; run make test, or scripts/setup first"),
    }
}

/// Runs a client to its end and gives what it said.
pub fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", shown(command.get_program())))
}

/// A server that ends with the test.
struct Server(Child);

impl Server {
    /// Starts a server on a free port and waits until it accepts connections. The port is free
    /// only until somebody else takes it, so a server that does not come up gets another one.
    fn start(command: impl Fn(SocketAddr) -> Command) -> (Self, SocketAddr) {
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

    /// Whether the server came up, and did not end before.
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
        // An error says that the process has ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A loopback address that nobody listens on at this moment.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
}

/// Lets others work between two looks at something that does not tell when it is ready.
pub fn pause() {
    std::thread::park_timeout(Duration::from_millis(5));
}

/// Whether the tests run as root, who must give rights away before he may start some servers.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn shown(program: &OsStr) -> String {
    program.to_string_lossy().into_owned()
}
