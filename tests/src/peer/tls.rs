//! openssl and gnutls-cli, which speak TLS.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;

use super::program;

/// `openssl s_client` with the server set, ready for more arguments.
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

/// The same, with STARTTLS.
pub fn s_client_starttls(server: SocketAddr) -> Command {
    let mut command = s_client(server);
    command.args(["-starttls", "smtp", "-name", "client.example"]);
    command
}

/// Runs a client that passes on what it reads, gives it these lines, and says whether it ended well
/// and what it said.
///
/// # Panics
///
/// Where it does not start.
pub fn converse(command: &mut Command, lines: &str) -> (bool, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the client starts");
    let mut input = child.stdin.take().expect("it is piped");
    let lines = lines.to_owned();
    // The input stays open until the server has closed: its end would cut the conversation short.
    let writer = thread::spawn(move || {
        // A client that has ended already shows in what it said.
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
