//! A stand-in for the host in unit tests: the test defines a session, a message, a configuration
//! and a Domain Name System, and can read the log that the plugin wrote.
//!
//! All state belongs to the current thread, because each test runs in one. [`Session::install`]
//! starts afresh.
//!
//! ```
//! use postgate_plugin::{prelude::*, testing};
//!
//! testing::Session::new().remote_ip("192.0.2.1").sender("a@example.org").install();
//! testing::Message::new().header("Subject", "lunch").body("at noon?").install();
//!
//! assert_eq!(message::header_text("subject").as_deref(), Some("lunch"));
//! assert_eq!(session::sender(), Some(Sender::new("a@example.org")));
//! ```

mod dns;
pub(crate) mod host;
mod message;
mod session;

use std::cell::RefCell;
use std::collections::BTreeMap;

pub use dns::Dns;
pub use message::{Message, Part};
pub use session::Session;

pub use crate::bindings::imports::postgate::plugin::log::Level;

use crate::{Plugin, config};

/// Creates a plugin from a configuration in JSON, as the host does.
pub fn plugin<P: Plugin>(json: &str) -> Result<P, String> {
    configure(json);
    P::new(config::parse()?)
}

/// Sets the configuration: a JSON object.
pub fn configure(json: &str) {
    WORLD.with_borrow_mut(|world| world.config = json.into());
}

/// Sets the content of a file of the operator, by the name that the plugin uses.
pub fn file(name: &str, content: impl Into<Vec<u8>>) {
    WORLD.with_borrow_mut(|world| world.files.insert(name.into(), content.into()));
}

/// The lines written to the log since the session began.
pub fn logs() -> Vec<(Level, String)> {
    WORLD.with_borrow(|world| world.log.clone())
}

#[derive(Default)]
struct World {
    config: String,
    dns: Dns,
    files: BTreeMap<String, Vec<u8>>,
    session: Session,
    message: Message,
    store: BTreeMap<String, Vec<u8>>,
    log: Vec<(Level, String)>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}
