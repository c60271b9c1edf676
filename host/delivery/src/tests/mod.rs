//! Conversations with scripted backends.

mod chunks;
mod conversations;
mod faults;
mod lmtp;
mod login;
mod notifications;
mod script;
mod smuggling;
mod support;
mod tls;
