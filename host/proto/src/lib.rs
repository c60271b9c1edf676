//! SMTP and LMTP without IO.
//!
//! Nothing in this crate opens a socket, reads a clock, or waits. A driver owns the connection and
//! carries out what the protocol asks for:
//!
//! - [`session`] is the server side. [`Session::step`](session::Session::step) returns what to do next:
//!   read, write octets, ask policy, store octets of a message, begin TLS, or close.
//! - [`client`] is the client side, for SMTP and LMTP servers.
//!
//! For each command the session first **checks** whether it is legal, then **asks** policy, and
//! **proceeds** with the answer. Policy never sees an illegal command, and no command has an effect
//! before policy has answered.

pub mod address;
pub mod auth;
pub mod client;
pub mod command;
pub mod data;
pub mod envelope;
pub mod fault;
pub mod header;
pub mod network;
pub mod parameters;
pub mod proxy;
pub mod relay;
pub mod reply;
pub mod session;
pub mod xclient;
