//! Relaying to an SMTP or LMTP server.

mod chunking;
mod connection;
mod extensions;
mod greeting;
mod lmtp_replies;
mod need;
mod peer;
mod pool;
mod relay;
mod sending;
mod server;
mod stream;
mod terms;

pub(crate) use self::relay::Relay;
pub(crate) use self::server::{Server, Socket};
