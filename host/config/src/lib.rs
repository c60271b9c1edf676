//! Parsing and validation of the configuration file and of plugin sidecars.
//!
//! [`Config`] is complete: paths are absolute, host names of listeners are resolved, and every
//! setting has a value. A [`ConfigError`] names the file, the line and the key.

mod address;
mod backend;
mod config;
mod dns;
mod document;
mod error;
pub mod file;
mod limits;
mod listener;
mod load;
mod log;
mod overrides;
mod plugins;
mod read;
mod relay;
mod replies;
mod report;
mod runtime;
pub mod sidecar;
mod tls;
mod value;

pub use self::address::{BackendAddress, HostPort};
pub use self::backend::{
    Backend, BackendCertificate, BackendLogin, BackendTls, BackendTrust, TlsStart, TlsVersion,
};
pub use self::config::Config;
pub use self::dns::DnsSettings;
pub use self::error::{ConfigError, Mistake};
pub use self::limits::Limits;
pub use self::listener::{AuthMode, EarlyTalkers, Listener, ProxyMode, Submission};
pub use self::load::{BUILT_IN, BUILT_IN_NAME};
pub use self::log::{Log, LogFormat, LogLevel};
pub use self::overrides::Overrides;
pub use self::plugins::{CompilerCommand, Plugins};
pub use self::relay::{Relay, RelayDomain};
pub use self::runtime::Runtime;
pub use self::tls::{CertificateFiles, ClientCertificates, Tls, TlsMode, TlsProfile};

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests;
