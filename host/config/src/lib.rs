//! The configuration as the program uses it: complete, typed and checked before anything is bound.

mod address;
mod backend;
mod document;
mod error;
pub mod file;
mod limits;
mod listener;
mod overrides;
mod read;
mod replies;
mod report;
pub mod sidecar;
mod tls;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgate_proto::reply::Reply;
use tracing::level_filters::LevelFilter;

pub use self::address::{BackendAddress, HostPort};
pub use self::backend::{
    Backend, BackendCertificate, BackendLogin, BackendTls, BackendTrust, TlsStart, TlsVersion,
};
pub use self::error::{ConfigError, Mistake};
pub use self::limits::Limits;
pub use self::listener::{AuthMode, EarlyTalkers, Listener, ProxyMode, Submission};
pub use self::overrides::Overrides;
pub use self::tls::{CertificateFiles, ClientCertificates, Tls, TlsMode, TlsProfile};

/// The configuration that holds where the operator names no file: a documented example of every key.
pub const BUILT_IN: &str = include_str!("default.toml");

/// Everything that an operator decides, except what belongs to one plugin ([`sidecar::Sidecar`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The name in the banner, in replies and in trace fields: a domain or an address literal.
    pub hostname: String,
    /// The file of which the salts of unknown users are made; made at the start where it is not
    /// there. Nothing: they are others after each start.
    pub auth_secret_file: Option<PathBuf>,
    /// Where clients connect. At least one.
    pub listeners: Vec<Listener>,
    /// The certificates that clients are shown. None: a self-signed one, made at the start.
    pub certificates: Vec<CertificateFiles>,
    /// What concerns the TLS of all listeners.
    pub tls: Tls,
    /// What clients may use up, except where a listener says otherwise ([`Listener::limits`]).
    pub limits: Limits,
    /// The domains that strangers may send to. None: only authenticated clients may send at all.
    pub relay: Vec<RelayDomain>,
    /// What is said to a fault of a client in place of the usual reply, by
    /// [`Fault::name`](postgate_proto::fault::Fault::name).
    pub replies: BTreeMap<String, Reply>,
    /// Where accepted mail goes. Nothing: every message is refused for now, unless a plugin takes it.
    pub backend: Option<Backend>,
    /// The Maildir that takes quarantined messages.
    pub quarantine: Option<PathBuf>,
    /// Where plugins come from.
    pub plugins: Plugins,
    /// Who is asked for names and addresses.
    pub dns: DnsSettings,
    /// The Unix socket on which the gateway answers its operator. Nothing: it does not.
    pub control_socket: Option<PathBuf>,
    /// What is logged, and how.
    pub log: Log,
    /// The threads that do the work.
    pub runtime: Runtime,
}

impl Config {
    /// Reads a file and checks it. Paths in it are relative to the directory of the file, those of
    /// the overrides to the current directory.
    ///
    /// # Errors
    ///
    /// Every mistake in the overrides and in the file, in the order of its lines.
    pub fn load(file: &Path, overrides: &Overrides) -> Result<Self, Vec<ConfigError>> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text, file, overrides),
            Err(error) => Err(vec![ConfigError::unreadable(file, &error)]),
        }
    }

    /// Checks a text as if it stood in `file`, which need not exist.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn parse(text: &str, file: &Path, overrides: &Overrides) -> Result<Self, Vec<ConfigError>> {
        document::read(text, file, overrides, read::config)
    }

    /// What [`BUILT_IN`] says, with paths relative to the current directory.
    ///
    /// # Errors
    ///
    /// Mistakes in the overrides, and what the machine does not offer, for example the plugin
    /// directory.
    pub fn built_in(overrides: &Overrides) -> Result<Self, Vec<ConfigError>> {
        Self::parse(BUILT_IN, Path::new("built-in configuration"), overrides)
    }

    /// Where the gateway of a configuration file can be asked, or that of [`BUILT_IN`] without one. It is
    /// found whatever else is wrong in the file, or with what it names: a gateway that runs is asked in
    /// trouble above all.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or its syntax or this key is wrong.
    pub fn control_socket_of(file: Option<&Path>) -> Result<Option<PathBuf>, Vec<ConfigError>> {
        let built_in = Path::new("built-in configuration");
        let (text, file) = match file {
            None => (BUILT_IN.to_owned(), built_in),
            Some(file) => {
                let text = fs::read_to_string(file);
                let text = text.map_err(|error| vec![ConfigError::unreadable(file, &error)])?;
                (text, file)
            }
        };
        let control = |root: &mut document::Section<'_>| {
            root.pass_over_others();
            Some(read::control_socket(root))
        };
        document::read(&text, file, &Overrides::default(), control)
    }

    /// The names that the sidecars of plugins may use for listeners, in their order.
    pub fn listener_names(&self) -> Vec<&str> {
        let names = self.listeners.iter().map(|listener| listener.name.as_str());
        let mut names: Vec<_> = names.collect();
        names.dedup();
        names
    }
}

/// A rule for the domains that the gateway takes mail for, in lower case: `example.org`, or
/// `.example.org` for everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayDomain(String);

impl RelayDomain {
    /// The rule as [`RelayDomains`](postgate_proto::relay::RelayDomains) takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RelayDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where plugins come from and what the set of them may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugins {
    /// The directory of `.wasm` files and their sidecars; it exists. Nothing: no plugins.
    pub directory: Option<PathBuf>,
    /// Where compiled code is kept between starts. Nothing: compiled at every start.
    pub cache: Option<PathBuf>,
    /// The largest plugin file, in octets.
    pub max_file_size: u64,
    /// Whether the system is asked to tell when the directory changes.
    pub watch: bool,
    /// How long until the directory is looked at without being told so, above 0.
    pub rescan: Duration,
    /// The most plugin instances at a time, at least 1. Nothing: what the machine can hold.
    pub instances: Option<u32>,
}

impl Default for Plugins {
    fn default() -> Self {
        Self {
            directory: None,
            cache: None,
            max_file_size: 64 << 20,
            watch: true,
            rescan: Duration::from_secs(30),
            instances: None,
        }
    }
}

/// Who is asked for names and addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// The name servers. None: those of the system.
    pub servers: Vec<SocketAddr>,
    /// How long to wait for an answer, above 0.
    pub timeout: Duration,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(5),
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// What is logged.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel {
    /// The level of all modules that have none of their own.
    pub default: LevelFilter,
    /// Modules such as `postgate::delivery`, and their levels.
    pub modules: Vec<(String, LevelFilter)>,
}

impl Default for LogLevel {
    fn default() -> Self {
        Self {
            default: LevelFilter::INFO,
            modules: Vec::new(),
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For people.
    #[default]
    Text,
}

/// The threads that do the work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runtime {
    /// How many, at least 1. Nothing: one for each core.
    pub workers: Option<usize>,
}

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests;
