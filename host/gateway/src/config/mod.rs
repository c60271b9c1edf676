//! The configuration as the program uses it: complete, typed and checked before anything is bound.

mod document;
mod error;
mod read;
pub mod sidecar;
mod value;

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::level_filters::LevelFilter;

pub use self::error::{ConfigError, Mistake};

/// The configuration that holds where the operator names no file: a documented example of every key.
pub const BUILT_IN: &str = include_str!("default.toml");

/// Everything that an operator decides, except what belongs to one plugin ([`sidecar::Sidecar`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The name in the banner, in replies and in trace fields: a domain or an address literal.
    pub hostname: String,
    /// Where clients connect. At least one.
    pub listeners: Vec<Listener>,
    /// What one client may use up.
    pub limits: Limits,
    /// The domains that strangers may send to. None: only authenticated clients may send at all.
    pub relay: Vec<RelayDomain>,
    /// Where accepted mail goes.
    pub backend: Backend,
    /// The Maildir that takes quarantined messages.
    pub quarantine: Option<PathBuf>,
    /// Where plugins come from.
    pub plugins: Plugins,
    /// What is logged, and how.
    pub log: Log,
    /// The threads that do the work.
    pub runtime: Runtime,
}

impl Config {
    /// Reads a file and checks it. Paths in it are relative to the directory of the file.
    ///
    /// # Errors
    ///
    /// Every mistake that the file holds, in the order of its lines.
    pub fn load(file: &Path) -> Result<Self, Vec<ConfigError>> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text, file),
            Err(error) => Err(vec![ConfigError::unreadable(file, &error)]),
        }
    }

    /// Checks a text as if it stood in `file`, which need not exist.
    ///
    /// # Errors
    ///
    /// Every mistake that the text holds, in the order of its lines.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Vec<ConfigError>> {
        document::read(text, file, read::config)
    }

    /// What [`BUILT_IN`] says, with paths relative to the current directory.
    ///
    /// # Errors
    ///
    /// What the machine does not offer, for example the plugin directory.
    pub fn built_in() -> Result<Self, Vec<ConfigError>> {
        Self::parse(BUILT_IN, Path::new("built-in configuration"))
    }
}

/// An address to listen on, and what clients may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The name in logs and in the sidecars of plugins. Where the operator gave none, the address.
    pub name: String,
    /// The address. Port 0 lets the system choose a free one.
    pub address: SocketAddr,
    /// Whether clients may or must authenticate.
    pub auth: AuthMode,
    /// Whether credentials may cross the network in clear; true on loopback addresses only.
    pub auth_in_clear: bool,
}

impl Listener {
    /// A listener that has nothing but an address.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            name: address.to_string(),
            address,
            auth: AuthMode::Off,
            auth_in_clear: false,
        }
    }
}

/// Whether clients authenticate (RFC 4954).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// AUTH is neither offered nor taken.
    #[default]
    Off,
    /// A client may authenticate.
    Optional,
    /// No mail without authentication.
    Required,
}

/// What one client, or all together, may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message, in octets; `u32::MAX` where there is no limit.
    pub message_size: u32,
    /// The most recipients of one message.
    pub recipients: u32,
    /// How many commands of a session may be refused as errors before it is closed; 0 for no limit.
    pub errors: u32,
    /// The most sessions at a time, over all listeners.
    pub connections: u32,
    /// How long to wait for a complete command.
    pub command_timeout: Duration,
    /// How long a message may take from DATA to its end.
    pub message_timeout: Duration,
    /// How long a client may take to read a reply.
    pub write_timeout: Duration,
    /// How long sessions may go on once the program is told to stop.
    pub shutdown_grace: Duration,
    /// How many octets of a message stay in memory; what is beyond goes to a temporary file.
    pub spool_memory: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 25 << 20,
            recipients: 200,
            errors: 10,
            connections: 1000,
            command_timeout: Duration::from_mins(5),
            message_timeout: Duration::from_mins(10),
            write_timeout: Duration::from_mins(2),
            shutdown_grace: Duration::from_secs(10),
            spool_memory: 1 << 20,
        }
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

/// The mail store behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The name in logs.
    pub name: String,
    /// Where it is and what it speaks.
    pub address: BackendAddress,
    /// How long to wait for a connection and its banner.
    pub connect_timeout: Duration,
    /// How long to wait for the reply to a command.
    pub command_timeout: Duration,
    /// How long to wait for the reply to a whole message.
    pub data_timeout: Duration,
    /// The most unused connections that are kept open.
    pub max_idle: u32,
    /// How long an unused connection is kept open.
    pub idle_timeout: Duration,
}

/// Where a backend is and what it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendAddress {
    /// LMTP over TCP (RFC 2033), written `lmtp://host:port`.
    Lmtp(HostPort),
    /// LMTP over a Unix socket, written `lmtp+unix:///path`.
    LmtpUnix(PathBuf),
    /// A local directory, written `maildir:PATH`.
    Maildir(PathBuf),
    /// SMTP over TCP, written `smtp://host:port`.
    Smtp(HostPort),
    /// SMTP over a Unix socket, written `smtp+unix:///path`.
    SmtpUnix(PathBuf),
}

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lmtp(address) => write!(f, "lmtp://{address}"),
            Self::LmtpUnix(path) => write!(f, "lmtp+unix://{}", path.display()),
            Self::Maildir(path) => write!(f, "maildir:{}", path.display()),
            Self::Smtp(address) => write!(f, "smtp://{address}"),
            Self::SmtpUnix(path) => write!(f, "smtp+unix://{}", path.display()),
        }
    }
}

/// A host name or address, resolved at each connection, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name, or an IP address without brackets.
    pub host: String,
    /// The port, 1 to 65535.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
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
    /// The most plugin instances at a time, at least 1. Nothing: what the machine can hold.
    pub instances: Option<u32>,
}

impl Default for Plugins {
    fn default() -> Self {
        Self {
            directory: None,
            cache: None,
            max_file_size: 64 << 20,
            instances: None,
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
