//! A session: the driver moves octets between a client and the protocol, and the handler answers the
//! questions of the protocol by asking the plugins and the backend.
//!
//! The driver works with any [`Transport`]: a socket for clients, memory for the tools of plugin
//! authors.

mod connection;
mod driver;
mod handler;
mod presence;
mod services;
mod settings;
mod stream;
mod transport;

pub(crate) use self::connection::ClientConnection;
pub use self::driver::{ClientLimits, Driver};
pub use self::handler::{Handler, HandlerParts};
pub use self::services::{Services, ServicesError};
pub use self::settings::session_settings;
pub(crate) use self::stream::Stream;
pub use self::transport::{ReadOutcome, Transport, Upgraded};
