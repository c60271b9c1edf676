//! The plugins of one session, asked in order: combines their answers into one verdict, and decides what the
//! failure of a plugin means for the client.

mod asking;
mod changes;
mod edits;
mod envelope;
mod failure;
mod journal;
mod patience;
mod plugin;
mod slot;
mod subject;

pub use self::asking::{Outcome, Pipeline};
pub use self::failure::TOO_MUCH_WORK;
pub use self::plugin::{Plugin, PluginInstance};
pub use self::subject::Subject;

#[cfg(test)]
mod tests;
