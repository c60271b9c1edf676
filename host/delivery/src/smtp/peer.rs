//! What all connections to a server have in common.

use std::time::Duration;

use postgate_proto::client::{ClientName, Protocol};

use super::extensions::ServerExtensions;
use super::patience::Patience;

/// The server at the other end of connections, and how long to wait for it.
#[derive(Debug)]
pub(super) struct Peer {
    /// The name of the server in logs.
    pub(super) address: String,
    pub(super) protocol: Protocol,
    /// The name by which the gateway introduces itself.
    pub(super) name: ClientName,
    pub(super) extensions: ServerExtensions,
    pub(super) patience: Patience,
    /// How long to wait for a connection, then for TLS, and then for the greeting.
    pub(super) connect_timeout: Duration,
    /// How long to wait for the reply to a command.
    pub(super) command_timeout: Duration,
    /// How long to wait until a part of a message is written, and for the reply to the message.
    pub(super) data_timeout: Duration,
}
