//! Relaying to an SMTP or LMTP server.

mod chunking;
mod connection;
mod extensions;
mod greeting;
mod in_doubt;
mod lmtp_replies;
mod need;
mod patience;
mod peer;
mod pool;
mod relay;
mod sending;
mod server;
mod stream;
mod terms;

pub(crate) use self::relay::Relay;
pub(crate) use self::server::{Server, Socket};
