//! The control socket, a Unix socket through which other programs control a running gateway.
//!
//! Only the owner of its file can open it. Each request and each response is a JSON object in one line:
//!
//! ```text
//! {"request":"plugin-list"}
//! {"response":"plugins","generation":1,"error":null,"plugins":[…]}
//! ```
//!
//! A new request needs a variant of [`Request`], an arm in `answer.rs`, and possibly a variant of
//! [`Response`].

mod answer;
mod client;
mod clients;
pub(crate) mod controller;
mod protocol;
mod server;
mod socket;

pub use self::client::{ControlError, ask};
pub use self::controller::Controller;
pub use self::protocol::{Request, Response};
pub(crate) use self::server::ControlServer;
