//! The control socket: how other programs of the operator ask a running gateway.
//!
//! A Unix socket that only its owner can open. One JSON object a line goes in, one comes back:
//!
//! ```text
//! {"request":"plugin-list"}
//! {"response":"plugins","generation":1,"error":null,"plugins":[…]}
//! ```
//!
//! A new question is a variant of [`Request`], an arm in `answer.rs`, and where none of the answers
//! fits, a variant of [`Response`].

mod answer;
mod client;
pub(crate) mod controller;
mod protocol;
mod server;
mod socket;

pub use self::client::{ControlError, ask};
pub use self::controller::Controller;
pub use self::protocol::{Request, Response};
pub(crate) use self::server::ControlServer;
