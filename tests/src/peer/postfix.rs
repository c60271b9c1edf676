//! Postfix's `smtp-sink`, which receives mail, and `smtp-source`, which sends it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use super::command::{program, run};
use super::server::{Server, is_root};

/// A server that accepts every message, and stores each in a file.
pub struct SmtpSink {
    _server: Server,
    address: SocketAddr,
    directory: TempDir,
}

impl SmtpSink {
    /// Starts a server. It writes a message to its file before it replies.
    pub fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        // The server changes to another user before it writes.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777))
            .expect("permissions can be set");
        let (server, address) = Server::start(|address| {
            let mut command = program("smtp-sink");
            if is_root() {
                command.args(["-u", "nobody"]);
            }
            command
                .args(["-m", "1000", "-d", "mail."])
                .arg(address.to_string())
                .arg("1000");
            command
                .current_dir(directory.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        });
        Self {
            _server: server,
            address,
            directory,
        }
    }

    /// Returns the address of the server.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of an SMTP backend, as in the configuration of the gateway.
    pub fn smtp(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Returns every message as the server wrote it: with LF line endings, after `X-…` lines about the
    /// envelope.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        read_all(self.directory.path())
    }
}

/// Sends `count` messages of `size` octets over `sessions` parallel connections, one message per
/// connection. The exit status is a failure if the server refuses a message.
pub fn smtp_source(to: SocketAddr, sessions: usize, count: usize, size: usize) -> Output {
    let mut command = program("smtp-source");
    command
        .args([
            "-s",
            &sessions.to_string(),
            "-m",
            &count.to_string(),
            "-l",
            &size.to_string(),
        ])
        .args([
            "-f",
            "alice@client.example",
            "-t",
            "bob@example.org",
            "-M",
            "client.example",
        ])
        .args(["-S", "a load of mail"])
        .arg(to.to_string());
    run(&mut command)
}

fn read_all(directory: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory).expect("the directory can be listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .map(|path| fs::read(path).expect("a message can be read"))
        .collect()
}
