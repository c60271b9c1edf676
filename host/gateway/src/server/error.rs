//! Why a gateway cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use postgate_delivery::SetupError;
use postgate_runtime::{EngineError, LoadError};

use crate::session::ServicesError;
use crate::tls::TlsError;

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
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
    #[error("cannot make the plugin engine: {0}")]
    Engine(EngineError),
    /// The secrets of authentication are not available.
    #[error(transparent)]
    Services(#[from] ServicesError),
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
            Self::Services(ServicesError::AuthSecret(_))
                | Self::Backend(_)
                | Self::Plugins(_)
                | Self::Tls(_)
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
