//! A Postfix that relays all its mail to the gateway.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use super::command::{program, run};
use super::server::is_root;

/// A running instance with its own configuration, queue and log. It is stopped when this is dropped.
pub struct Postfix {
    directory: TempDir,
}

impl Postfix {
    /// Starts an instance.
    ///
    /// # Panics
    ///
    /// Panics if Postfix is not installed, or the tests do not run as root: Postfix changes users.
    pub fn start(gateway: SocketAddr) -> Self {
        assert!(
            is_root(),
            "Postfix changes users and needs root; run make test as root"
        );
        let directory = TempDir::new().expect("a temporary directory");
        prepare(directory.path(), gateway);
        let postfix = Self { directory };
        let output = postfix.control("start");
        assert!(output.status.success(), "{}", postfix.log());
        postfix
    }

    /// Submits a message with Postfix's `sendmail` and these arguments.
    pub fn send(&self, arguments: &[&str], message: &[u8]) {
        let mut child = program("sendmail")
            .arg("-C")
            .arg(self.directory.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .expect("sendmail starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(message).expect("sendmail takes a message");
        drop(stdin);
        let status = child.wait().expect("a child can be waited for");
        assert!(status.success(), "{}", self.log());
    }

    /// Returns the log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn control(&self, what: &str) -> Output {
        let mut command = program("postfix");
        command.arg("-c").arg(self.directory.path()).arg(what);
        // The servers inherit the output, and would keep a pipe open.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        run(&mut command)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of Postfix:\n{}", self.log());
        }
        self.control("abort");
    }
}

fn prepare(directory: &Path, gateway: SocketAddr) {
    for (name, text) in [
        ("main.cf", main_configuration(directory, gateway)),
        ("master.cf", MASTER.to_owned()),
    ] {
        fs::write(directory.join(name), text).expect("the configuration");
    }
    for name in ["queue", "data"] {
        fs::create_dir(directory.join(name)).expect("a directory");
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))
        .expect("permissions can be set");
    let status = program("chown")
        .arg("postfix")
        .arg(directory.join("data"))
        .status();
    assert!(status.is_ok_and(|status| status.success()), "no chown");
}

fn main_configuration(directory: &Path, gateway: SocketAddr) -> String {
    let directory = directory.display();
    let (ip, port) = (gateway.ip(), gateway.port());
    format!(
        "compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
myhostname = client.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = loopback-only
inet_protocols = ipv4
relayhost = [{ip}]:{port}
smtp_tls_security_level = none
smtputf8_enable = yes
"
    )
}

/// The services that send mail, without those that listen on the network.
const MASTER: &str = "\
pickup    unix  n  -  n  60   1  pickup
cleanup   unix  n  -  n  -    0  cleanup
qmgr      unix  n  -  n  300  1  qmgr
rewrite   unix  -  -  n  -    -  trivial-rewrite
bounce    unix  -  -  n  -    0  bounce
defer     unix  -  -  n  -    0  bounce
trace     unix  -  -  n  -    0  bounce
verify    unix  -  -  n  -    1  verify
flush     unix  n  -  n  -    0  flush
proxymap  unix  -  -  n  -    -  proxymap
smtp      unix  -  -  n  -    -  smtp
relay     unix  -  -  n  -    -  smtp
showq     unix  n  -  n  -    -  showq
error     unix  -  -  n  -    -  error
retry     unix  -  -  n  -    -  error
discard   unix  -  -  n  -    -  discard
anvil     unix  -  -  n  -    1  anvil
scache    unix  -  -  n  -    1  scache
postlog   unix-dgram n - n -  1  postlogd
";
