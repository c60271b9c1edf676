//! The plugins of a running gateway, kept up to date with the plugin directory.
//!
//! Every change takes the same path, however it was noticed:
//!
//! 1. A [`look`] at the directory finds what has changed. If a file may still be being written, or has
//!    gone only just now, nothing happens until a later look.
//! 2. What has changed is read as a [`Snapshot`](plan::Snapshot): another look after that proves that all
//!    of it was there at one moment.
//! 3. The snapshot is one [change](table): its plugins are checked and tried out while everything before
//!    it goes on.
//! 4. When all of them are loaded or refused, they are in the set of new sessions, at one moment.
//!
//! So a set is never a mixture of two states of the directory, with two exceptions: the previous version
//! of a plugin stays in the set if the present one is refused, or takes too long to load
//! ([`pending::Step::Late`]). Changes that were found by different looks do not wait for each other, unless
//! they concern the same plugin; then they become one.
//!
//! When in doubt, a filter stays. A removal counts when the file has been gone for a while, and does not
//! count before what was added by the same change serves.
//!
//! A session keeps the set with which it began, so a set is dropped with its last session.

mod entry;
mod inventory;
mod loader;
mod look;
mod pending;
mod plan;
mod plugin_registry;
mod plugin_set;
mod settings;
mod sighting;
mod table;
mod watch;

pub use self::inventory::{Inventory, PluginListing, PluginListingEntry, PluginStatus};
pub use self::plugin_registry::PluginRegistry;
pub use self::plugin_set::PluginSet;
pub use self::settings::RegistrySettings;
pub use self::watch::{WatchSettings, watch};
