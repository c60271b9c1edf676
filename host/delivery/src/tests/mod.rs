//! Conversations with scripted backends.

mod changed_envelopes;
mod chunks;
mod conversations;
mod faults;
mod lmtp;
mod login;
mod notifications;
mod script;
mod silence;
mod smuggling;
mod support;
mod tls;
