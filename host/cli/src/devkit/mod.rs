//! Tools for authors of plugins. They need no running gateway.
//!
//! - [`harness`]: runs one plugin in sessions as a gateway does, over a transport in memory;
//! - [`fixture`]: the client and the configuration of such a session;
//! - [`mail`]: sends a message in such a session;
//! - [`call`]: a call of the plugin in a session, as text and as JSON;
//! - [`bench`](mod@bench): measures the time of calls;
//! - [`bindings`]: the contract and the C bindings as files;
//! - [`scaffold`]: creates a plugin from a template.

pub mod bench;
pub mod bindings;
pub mod call;
pub mod error;
pub mod fixture;
pub mod harness;
pub mod mail;
mod memory;
pub mod scaffold;
mod session;
mod trace_fields;

pub use self::session::HarnessSession;
