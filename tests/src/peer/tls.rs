//! TLS clients: openssl and gnutls-cli.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;

use super::command::program;

/// Returns a command that runs `openssl s_client` with this server, to which arguments can be added.
pub fn s_client(server: SocketAddr) -> Command {
    let mut command = program("openssl");
    command.args([
        "s_client",
        "-connect",
        &server.to_string(),
        "-brief",
        "-crlf",
    ]);
    command
}

/// Like [`s_client`], with STARTTLS.
pub fn s_client_starttls(server: SocketAddr) -> Command {
    let mut command = s_client(server);
    command.args(["-starttls", "smtp", "-name", "client.example"]);
    command
}

/// Runs a client that sends its input to the server. Returns true if it exited successfully, and its
/// output.
///
/// # Panics
///
/// Panics if the client does not start.
pub fn converse(command: &mut Command, lines: &str) -> (bool, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the client starts");
    let mut input = child.stdin.take().expect("it is piped");
    let lines = lines.to_owned();
    // The input stays open until the client ends: at the end of its input, the client would close the
    // connection early.
    let writer = thread::spawn(move || {
        // If the client has already ended, its output shows why.
        _ = input.write_all(lines.as_bytes());
        input
    });
    let output = child.wait_with_output().expect("it can be waited for");
    drop(writer.join());
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}
