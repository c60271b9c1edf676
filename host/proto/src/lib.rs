//! SMTP and LMTP with no IO: bytes in, steps out.
//!
//! Nothing in this crate opens a socket, asks for the time, or waits. A driver owns the bytes:
//!
//! - [`Session::receive`](session::Session::receive) takes what a socket gave, however it was cut;
//! - [`Session::step`](session::Session::step) says what to do next: read, write these bytes, ask this
//!   question of policy, keep these octets of a message, close;
//! - [`Session::decide`](session::Session::decide) brings back policy's answer.
//!
//! For every command the session first **checks** whether it is legal now, then **asks**, and
//! **proceeds** once it has the answer: policy never sees an illegal command, and nothing happens
//! before it answered. The side that talks to a backend, [`client`], has the same shape.

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
