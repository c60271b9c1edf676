//! Connections that are encrypted, and those that must not be made.

mod authority;
mod certificates;
mod handshake;
mod reload;
mod requiretls;
