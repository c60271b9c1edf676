//! Why a gateway cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use postgate_delivery::SetupError;
use postgate_runtime::{EngineError, LoadError};

use crate::session::ServicesError;
use crate::tls::TlsError;

/// Why a gateway cannot start. [`Self::is_configuration`] distinguishes errors in the operator's files
/// from errors of the system.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration of the backend cannot be used.
    #[error(transparent)]
    Backend(#[from] SetupError),
    /// A listener cannot be bound.
    #[error("listener {listener}: cannot listen on {address}: {error}{}", remedy(.address, .error))]
    Bind {
        /// The name of the listener.
        listener: String,
        /// Its address.
        address: SocketAddr,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The control socket cannot be bound.
    #[error("control.socket: cannot listen on {socket}: {error}", socket = socket.display())]
    Control {
        /// The file of the socket.
        socket: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The WebAssembly engine cannot be created.
    #[error("cannot create the plugin engine: {0}")]
    Engine(#[source] EngineError),
    /// Plugins cannot be loaded. Has all errors.
    #[error("{}", lines(.0))]
    Plugins(Vec<LoadError>),
    /// The services of sessions cannot be set up.
    #[error(transparent)]
    Services(#[from] ServicesError),
    /// Certificates cannot be loaded. Has all errors.
    #[error("{}", lines(.0))]
    Tls(Vec<TlsError>),
}

impl RunError {
    /// Returns true if the cause is in the configuration, the plugins or the files that it names.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Plugins(errors) => errors.iter().all(|error| error.host_cause().is_none()),
            Self::Services(ServicesError::AuthSecret(_)) | Self::Backend(_) | Self::Tls(_) => true,
            Self::Bind { .. } | Self::Control { .. } | Self::Engine(_) | Self::Services(_) => false,
        }
    }
}

/// Returns advice for the operator about an error of the system, if there is any.
fn remedy(address: &SocketAddr, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied if address.port() < 1_024 => {
            "; ports below 1024 are for root, or for programs with CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrInUse => "; another program listens there",
        _ => "",
    }
}

fn lines<E: ToString>(errors: &[E]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
