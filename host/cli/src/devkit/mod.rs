//! Tools for authors of plugins: everything that `postgate plugin` does without a running gateway.
//!
//! - [`harness`]: one plugin in sessions as a gateway serves them, without a socket;
//! - [`mail`]: a whole message as a session;
//! - [`bench`](mod@bench): what a plugin costs;
//! - [`fixture`]: who the client of such a session is;
//! - [`scaffold`]: a new plugin from a template;
//! - [`call`]: what a plugin was asked and answered, for people and for programs.

pub mod bench;
pub mod bindings;
pub mod call;
pub mod fixture;
pub mod harness;
pub mod mail;
mod memory;
pub mod scaffold;
mod session;
mod trace_fields;

pub use self::session::HarnessSession;
