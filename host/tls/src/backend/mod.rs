//! The client side of TLS for connections to a backend.

mod config;
mod error;
mod verifier;

pub use self::config::{client_config, server_name, system_authorities};
pub use self::error::BackendTlsError;
