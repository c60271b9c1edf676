//! HAProxy, which sends the gateway a PROXY header.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::command::program;
use super::server::Server;

/// A proxy in front of a gateway.
pub struct HaProxy {
    _server: Server,
    address: SocketAddr,
    _directory: TempDir,
}

impl HaProxy {
    /// Starts a proxy that sends this kind of header: `send-proxy` or `send-proxy-v2`.
    ///
    /// # Panics
    ///
    /// Panics if HAProxy is not installed.
    pub fn start(gateway: SocketAddr, header: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let (server, address) =
            Server::start(|address| command(directory.path(), address, gateway, header));
        Self {
            _server: server,
            address,
            _directory: directory,
        }
    }

    /// Returns the address for clients.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

fn command(directory: &Path, address: SocketAddr, gateway: SocketAddr, header: &str) -> Command {
    let file = directory.join("haproxy.cfg");
    let configuration = format!(
        "defaults
  mode tcp
  timeout connect 30s
  timeout client 60s
  timeout server 60s
listen smtp
  bind {address}
  server gateway {gateway} {header}
"
    );
    fs::write(&file, configuration).expect("the configuration");
    let mut command = program("haproxy");
    command.arg("-db").arg("-f").arg(file);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
