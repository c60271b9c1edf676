//! Tools for authors of plugins: everything that `postgate plugin` does without a running gateway.
//!
//! - [`stage`]: the protocol core, the desk and one plugin, without a socket between them;
//! - [`mail`]: a whole message as a session;
//! - [`bench`](mod@bench): what a plugin costs;
//! - [`scene`]: who the client of such a session is;
//! - [`scaffold`]: a new plugin from a template;
//! - [`call`]: what a plugin was asked and answered, for people and for programs.

pub mod bench;
pub mod call;
pub mod mail;
pub mod scaffold;
pub mod scene;
pub mod stage;
mod trace;
