//! Dovecot as an LMTP server with a configuration of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Server, is_root, program};
use crate::mail;

/// A mail store that takes mail for every user, each into a Maildir.
pub struct Dovecot {
    _server: Server,
    address: SocketAddr,
    directory: TempDir,
}

impl Dovecot {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// Where Dovecot is not installed, or the tests do not run as root: Dovecot changes users.
    pub fn start() -> Self {
        assert!(
            is_root(),
            "Dovecot changes users and needs root; run make test as root"
        );
        let directory = TempDir::new().expect("a temporary directory");
        let mail = directory.path().join("mail");
        fs::create_dir(&mail).expect("the mail directory");
        open_for_all(directory.path());
        open_for_all(&mail);
        let (server, address) = Server::start(|address| command(directory.path(), address));
        Self {
            _server: server,
            address,
            directory,
        }
    }

    /// Its address as the configuration wants it.
    pub fn lmtp(&self) -> String {
        format!("lmtp://{}", self.address)
    }

    /// The messages of a user, as they lie in the Maildir: with LF line ends.
    pub fn messages(&self, user: &str) -> Vec<Vec<u8>> {
        mail::maildir(&self.directory.path().join("mail").join(user))
    }
}

fn open_for_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777))
        .expect("permissions can be set");
}

fn command(directory: &Path, address: SocketAddr) -> Command {
    let file = directory.join("dovecot.conf");
    fs::write(&file, configuration(directory, address)).expect("the configuration");
    let mut command = program("dovecot");
    command
        .arg("-c")
        .arg(file)
        .arg("-F")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn configuration(directory: &Path, address: SocketAddr) -> String {
    let directory = directory.display();
    let port = address.port();
    format!(
        "base_dir = {directory}/base
state_dir = {directory}/state
log_path = {directory}/log
protocols = lmtp
ssl = no
mail_location = maildir:{directory}/mail/%u
first_valid_uid = 1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={directory}/mail/%u allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"
    )
}
