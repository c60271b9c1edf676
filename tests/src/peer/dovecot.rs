//! Dovecot as an LMTP server or as a submission server, with its own configuration.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::command::program;
use super::server::{Server, is_root};
use crate::certificate::Issued;
use crate::mail;

/// A running Dovecot. It accepts mail for every user, and delivers it into a Maildir per user.
pub struct Dovecot {
    _server: Server,
    address: SocketAddr,
    directory: TempDir,
}

impl Dovecot {
    /// Starts an LMTP server without TLS.
    ///
    /// # Panics
    ///
    /// Panics if Dovecot is not installed, or the tests do not run as root: Dovecot changes users.
    pub fn start() -> Self {
        Self::with(|directory, address| {
            let tls = Tls::No;
            configuration(directory, &tls) + &lmtp(address)
        })
    }

    /// Starts an LMTP server without TLS whose mailboxes take this much, such as `100k`. It refuses a
    /// message to a full one after the end of the data.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn with_quota(storage: &str) -> Self {
        let quota = format!(
            "mail_plugins = quota
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage={storage}
}}
"
        );
        Self::with(move |directory, address| {
            configuration(directory, &Tls::No) + &quota + &lmtp(address)
        })
    }

    /// Starts an LMTP server that offers STARTTLS with this certificate, but does not require it.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn with_tls(own: &Issued) -> Self {
        let own = own.clone();
        Self::with(move |directory, address| {
            let tls = Tls::Offered(&own);
            configuration(directory, &tls) + &lmtp(address)
        })
    }

    /// Starts a submission server that relays mail to `relay`. It requires TLS, with this certificate,
    /// and authentication by this mechanism, as `gate` with the password `secret`.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn submission(own: &Issued, mechanism: &str, relay: SocketAddr) -> Self {
        let (own, mechanism) = (own.clone(), mechanism.to_owned());
        Self::with(move |directory, address| {
            fs::write(directory.join("users"), "gate:{PLAIN}secret\n").expect("the users");
            let tls = Tls::Required(&own);
            configuration(directory, &tls) + &submission(directory, address, &mechanism, relay)
        })
    }

    fn with(configuration: impl Fn(&Path, SocketAddr) -> String) -> Self {
        assert!(
            is_root(),
            "Dovecot changes users and needs root; run make test as root"
        );
        let directory = TempDir::new().expect("a temporary directory");
        let mail = directory.path().join("mail");
        fs::create_dir(&mail).expect("the mail directory");
        open_for_all(directory.path());
        open_for_all(&mail);
        let (server, address) = Server::start(|address| {
            let text = configuration(directory.path(), address);
            command(directory.path(), &text)
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

    /// Returns the log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Returns the address of an LMTP backend, as in the configuration of the gateway.
    pub fn lmtp(&self) -> String {
        format!("lmtp://{}", self.address)
    }

    /// Returns the messages of a user as they are in the Maildir: with LF line endings.
    pub fn messages(&self, user: &str) -> Vec<Vec<u8>> {
        mail::maildir(&self.directory.path().join("mail").join(user))
    }
}

fn open_for_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777))
        .expect("permissions can be set");
}

fn command(directory: &Path, configuration: &str) -> Command {
    let file = directory.join("dovecot.conf");
    fs::write(&file, configuration).expect("the configuration");
    let mut command = program("dovecot");
    command
        .arg("-c")
        .arg(file)
        .arg("-F")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// The TLS settings of the server.
enum Tls<'a> {
    No,
    Offered(&'a Issued),
    Required(&'a Issued),
}

fn configuration(directory: &Path, tls: &Tls<'_>) -> String {
    let (ssl, own) = match tls {
        Tls::No => ("no", None),
        Tls::Offered(own) => ("yes", Some(own)),
        Tls::Required(own) => ("required", Some(own)),
    };
    let files = own.map(|own| {
        let (certificate, key) = (directory.join("own.pem"), directory.join("own.key"));
        fs::write(&certificate, &own.certificate).expect("the certificate");
        fs::write(&key, &own.key).expect("the key");
        format!(
            "ssl_cert = <{}\nssl_key = <{}\n",
            certificate.display(),
            key.display()
        )
    });
    let directory = directory.display();
    format!(
        "base_dir = {directory}/base
state_dir = {directory}/state
log_path = {directory}/log
ssl = {ssl}
{}mail_location = maildir:{directory}/mail/%u
first_valid_uid = 1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={directory}/mail/%u allow_all_users=yes
}}
",
        files.unwrap_or_default()
    )
}

fn lmtp(address: SocketAddr) -> String {
    let port = address.port();
    format!(
        "protocols = lmtp
passdb {{
  driver = static
  args = nopassword=y
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

fn submission(directory: &Path, address: SocketAddr, mechanism: &str, relay: SocketAddr) -> String {
    let directory = directory.display();
    let port = address.port();
    let (relay_host, relay_port) = (relay.ip(), relay.port());
    format!(
        "protocols = submission
auth_mechanisms = {mechanism}
hostname = store.example
submission_relay_host = {relay_host}
submission_relay_port = {relay_port}
submission_relay_trusted = no
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
service submission-login {{
  inet_listener submission {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"
    )
}
