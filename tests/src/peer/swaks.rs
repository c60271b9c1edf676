//! swaks, an SMTP client for tests.

use std::net::SocketAddr;
use std::process::Command;

use super::command::program;

/// Returns a command that runs swaks with this server and an envelope, to which arguments can be
/// added.
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
