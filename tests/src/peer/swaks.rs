//! swaks, a client for trying things out.

use std::net::SocketAddr;
use std::process::Command;

use super::program;

/// swaks with the server and an envelope set, ready for more arguments.
pub fn swaks(server: SocketAddr) -> Command {
    let mut command = program("swaks");
    command
        .args([
            "--server",
            &server.ip().to_string(),
            "--port",
            &server.port().to_string(),
        ])
        .args(["--helo", "client.example"])
        .args(["--from", "alice@client.example", "--to", "bob@example.org"]);
    command
}
