//! The client side of SMTP and LMTP (RFC 5321, RFC 2033, RFC 2920, RFC 3030, RFC 3207, RFC 4954).
//!
//! The driver queues requests and carries out what [`Client::step`] returns.

mod body;
mod capabilities;
mod chunk;
mod connection;
mod credentials;
mod encode_error;
mod encoder;
mod fault;
mod mechanism;
mod message;
mod nonce;
mod phase;
mod request;
mod sasl;
mod sasl_fault;
mod scram;
mod scram_keys;
mod stage;

pub use self::body::{BodyEncoder, NotLines};
pub use self::capabilities::{Capabilities, Extension};
pub use self::chunk::Chunk;
pub use self::connection::{Client, ClientStep};
pub use self::credentials::{ClientCredentials, InvalidCredentials};
pub use self::encode_error::{EncodeError, WrongSize};
pub use self::fault::ClientFault;
pub use self::mechanism::ClientMechanism;
pub use self::message::MessageWriter;
pub use self::nonce::Nonce;
pub use self::request::{ClientName, InvalidName, Request};
pub use self::sasl::Authentication;
pub use self::sasl_fault::SaslFault;
pub use self::stage::{Answer, MAX_REPLY_LINE, Protocol, Stage};

#[cfg(test)]
mod tests;
