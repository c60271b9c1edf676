//! An SMTP policy gateway whose decisions are WebAssembly plugins.
//!
//! [`Gateway::start`] checks and binds everything, [`Gateway::serve`] runs until it is told to stop;
//! [`Gateway::spawn`] does so in the background of another program.
//! In between, one connection flows through these modules, from the outside in:
//!
//! - [`config`]: what the operator wrote, checked;
//! - `server`: makes the whole, and stops it gracefully;
//! - `controller` and [`control`]: what an operator sees of it and changes in it, from the same program
//!   and from others;
//! - `door`: one listener; lets clients in, as `admission` says, after what `arrival` reads;
//! - [`tls`]: the certificates, and the handshake of a session that is to be encrypted;
//! - `connection`: the driver of one session of [`postgate_proto`]; owns the socket and the clock;
//! - `desk`: answers the questions of a session, by asking the plugins and the backend;
//! - [`plugin`]: loads plugins, runs them in their sandboxes, makes one decision of several opinions;
//! - [`delivery`]: offers recipients and messages to the backend;
//! - [`author`]: tools for those who write plugins;
//! - [`recording`]: what crossed the boundary between a gateway and a plugin, kept and replayed;
//! - [`spool`]: keeps a message until the backend has it.
//!
//! [`contract`] is the plugin contract as files, for those who write plugins.

mod admission;
mod arrival;
mod attempts;
mod connection;
mod controller;
mod desk;
mod door;
mod file;
mod house;
mod id;
mod running;
mod secrets;
mod server;
mod socket;
mod stream;
mod supervised;
mod trace;

pub mod author;
pub mod config;
pub mod contract;
pub mod control;
pub mod delivery;
pub mod dns;
pub mod metrics;
pub mod plugin;
pub mod recording;
pub mod spool;
mod submission;
pub mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::Config;
use crate::delivery::SetupError;
use crate::plugin::LoadError;
use crate::tls::TlsError;
pub use controller::Controller;
pub use running::Running;
pub use secrets::{AuthSecretError, AuthSecretFault, check_auth_secret};
pub use server::Gateway;

/// Runs a gateway until `shutdown` is ready, and then until its sessions are over.
///
/// # Errors
///
/// Where it cannot start. Once it serves, nothing ends it but `shutdown`.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    Gateway::start(config).await?.serve(shutdown).await;
    Ok(())
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The secret of `auth-secret-file` cannot be had.
    #[error(transparent)]
    AuthSecret(#[from] AuthSecretError),
    /// Nothing can be delivered to the backend as it is configured.
    #[error(transparent)]
    Backend(#[from] SetupError),
    /// An address cannot be listened on.
    #[error("listener {listener}: cannot listen on {address}: {error}{}", remedy(.address, .error))]
    Bind {
        /// The name of the listener.
        listener: String,
        /// Its address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The control socket cannot be listened on.
    #[error("control.socket: cannot listen on {socket}: {error}", socket = socket.display())]
    Control {
        /// The file of the socket.
        socket: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The engine for plugins cannot be made.
    #[error("cannot make the plugin engine: {0:#}")]
    Engine(wasmtime::Error),
    /// The system has no random octets.
    #[error("cannot draw random octets: {0}")]
    Random(getrandom::Error),
    /// There can be no TLS: everything that is wrong.
    #[error("{}", listed(.0))]
    Tls(Vec<TlsError>),
    /// Plugins cannot be loaded.
    #[error("{}", listed(.0))]
    Plugins(Vec<LoadError>),
}

impl RunError {
    /// Whether the operator can mend it in the configuration or in the plugin directory.
    pub const fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::AuthSecret(_) | Self::Backend(_) | Self::Plugins(_) | Self::Tls(_)
        )
    }
}

fn remedy(address: &SocketAddr, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied if address.port() < 1_024 => {
            "; ports below 1024 are for root, or for programs with CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrInUse => "; another program listens there",
        _ => "",
    }
}

fn listed<E: ToString>(errors: &[E]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
