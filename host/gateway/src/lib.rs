//! An SMTP policy gateway whose decisions are WebAssembly plugins, as a library.
//!
//! [`Gateway::start`] checks and binds everything, [`Gateway::serve`] runs until it is told to stop;
//! [`Gateway::spawn`] does so in the background of another program.
//!
//! A connection passes through these modules, from the outside in:
//!
//! - `listener`: accepts connections, applies the limits on clients, reads PROXY headers;
//! - [`tls`]: the certificates of listeners, and the handshake;
//! - [`session`]: the driver of one session of [`postgate_proto`], and the handler that answers its
//!   questions by asking the plugins ([`postgate_runtime`]) and the backend ([`postgate_delivery`]);
//! - `auth`: limits on failed authentication, and the secrets behind nonces and decoys;
//! - `message`: what the gateway itself adds to a message;
//! - `server`: builds all of it from a configuration, and stops it gracefully;
//! - [`control`] and [`metrics`]: what an operator can see and change while it serves.

mod auth;
pub mod control;
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

/// The configuration: what an embedding program fills in.
pub use postgate_config as config;
use postgate_config::Config;

pub use crate::auth::{AuthSecretError, AuthSecretFault, check_auth_secret};
pub use crate::control::Controller;
pub use crate::server::{Gateway, RunError, Running};

/// Runs a gateway until `shutdown` is ready, and then until its sessions have ended.
///
/// # Errors
///
/// Fails if the gateway cannot start. Once it serves, only `shutdown` ends it.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    Gateway::start(config).await?.serve(shutdown).await;
    Ok(())
}
