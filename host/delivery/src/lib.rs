//! Hands mail over to the store behind the gateway, while the client waits for the answer.
//!
//! There is no queue: a recipient is offered to the backend before the client gets the reply to it,
//! and the client is told that a message was accepted only after the backend has said so.
//!
//! [`Delivery`] is a backend, [`BackendTransaction`] one mail transaction with it. The envelope
//! belongs to the caller; a transaction keeps only what the backend has accepted.
//!
//! A message is sent to a server with BDAT if it offers CHUNKING (RFC 3030), and with DATA
//! otherwise. Its octets are not changed if the client announced BODY=BINARYMIME, which the server
//! must offer too; otherwise a lone CR or LF becomes CRLF, with either command. What the client
//! asks for in delivery status notifications (RFC 3461) is passed on to servers that offer DSN, and
//! has no effect with others.
//!
//! A connection that is to be encrypted is never used in the clear: if TLS is not possible as it is
//! configured, clients are told to try again later.

mod delivery;
mod error;
mod maildir;
mod memory;
mod message;
mod reload;
mod replies;
mod rest;
mod security;
mod smtp;
#[cfg(test)]
mod tests;
mod transaction;

pub use self::delivery::Delivery;
pub use self::error::{DeliveryError, Mixed, PasswordFault, SetupError, TlsFailure};
pub use self::maildir::Maildir;
pub use self::message::{Message, OriginalMessage};
pub use self::reload::{reload, watch};
pub use self::replies::delivered_before;
pub use self::rest::{Announced, Attempt, Rest};
pub use self::transaction::BackendTransaction;
