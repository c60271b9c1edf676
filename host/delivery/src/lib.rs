//! Hands mail over to the store behind the gateway, while the client waits for the answer.
//!
//! There is no queue: a recipient is offered to the backend before the client hears of it, and the
//! client is told that a message was taken only after the backend has said so.
//!
//! A message goes to a server with BDAT where it offers CHUNKING (RFC 3030), and with DATA otherwise.
//! Its octets stay as they are where the client announced BODY=BINARYMIME, which a server must offer
//! too; otherwise a lone CR or LF becomes CRLF, whichever way it goes. What the client asks for in
//! delivery status notifications (RFC 3461) is passed on to servers that offer DSN, and has no effect
//! with others.
//!
//! A connection that is to be encrypted is never used in the clear: where TLS cannot be had as the
//! operator wants it, clients are told to come back later.

mod connection;
mod deferred_refusals;
mod delivered_recipients;
mod delivery;
mod error;
mod greeting;
mod maildir;
mod message;
mod pool;
mod relay;
mod replies;
mod rest;
mod security;
mod server;
mod setup;
mod stream;
mod terms;
#[cfg(test)]
mod tests;
mod tls;
mod transaction;
mod ttl_cache;
mod watch;

pub use self::delivery::Delivery;
pub use self::error::DeliveryError;
pub use self::maildir::Maildir;
pub use self::message::{Message, OriginalMessage};
pub use self::replies::delivered_before;
pub use self::rest::Rest;
pub use self::setup::{PasswordFault, SetupError};
pub use self::tls::TlsFailure;
pub use self::transaction::BackendTransaction;
pub use self::watch::{reload, watch};
