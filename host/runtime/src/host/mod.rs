//! The host functions that a guest may import, and the limits that apply to it.

mod addresses;
mod clock;
mod config;
mod dns;
mod error;
mod external;
mod files;
mod limits;
mod log;
mod message;
mod parts;
mod random;
mod session;
mod state;
mod store;
mod view;
pub(super) mod wasi;

pub(super) use self::error::HostError;
pub(super) use self::limits::{Denied, MAX_MEMORIES, MAX_MODULES, MAX_TABLES};
pub(super) use self::state::{HostState, PluginFacts};
pub(super) use self::view::View;
