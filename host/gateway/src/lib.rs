//! The library of Postgate, an SMTP gateway whose policy is in WebAssembly plugins.
//!
//! [`Gateway::start`] checks the configuration and binds the listeners. [`Gateway::serve`] then runs
//! until shutdown, or [`Gateway::spawn`] runs the gateway in the background of another program.
//!
//! The modules in the order in which a connection passes through them:
//!
//! - `listener`: accepts connections, enforces the limits on clients, reads PROXY headers;
//! - [`tls`]: the certificates of listeners, and the handshake;
//! - [`session`]: the driver of a session of [`postgate_proto`], and the handler that answers its
//!   questions by asking the plugins ([`postgate_runtime`]) and the backend ([`postgate_delivery`]);
//! - `auth`: limits on failed authentication, and the secrets for nonces and decoys;
//! - `message`: the header fields that the gateway adds.
//!
//! `server` builds all parts from a configuration and shuts them down. [`control`] and [`metrics`] are
//! for the operator.

// The compiler follows the future of a session through everything that it may wait for.
#![recursion_limit = "256"]

mod auth;
pub mod clock;
pub mod control;
mod descriptors;
mod error_chain;
pub mod id;
mod listener;
mod message;
pub mod metrics;
mod server;
pub mod session;
pub mod shutdown;
mod state;
mod supervisor;
pub mod tls;

use std::future::Future;

/// The configuration, for programs that embed a gateway.
pub use postgate_config as config;
use postgate_config::Config;
/// What the command does that [`config::Plugins::compiler`] names.
pub use postgate_runtime::compile_standard_input;

pub use crate::auth::{AuthSecretError, AuthSecretFault, check_auth_secret};
pub use crate::control::Controller;
pub use crate::server::{Gateway, GatewayHandle, RunError};

/// Runs a gateway until `shutdown` completes and its sessions have ended.
///
/// # Errors
///
/// Fails if the gateway cannot start.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    Gateway::start(config).await?.serve(shutdown).await;
    Ok(())
}
