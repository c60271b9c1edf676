//! The plugins of a running gateway, kept up to date with the plugin directory.
//!
//! Every change takes the same path, however it was noticed: scan the directory, read the files that
//! have changed, check and try out the plugins, and replace the plugin set as a whole. If a file cannot
//! be used, its previous version stays in the set. A session keeps the set with which it began, so a
//! set is dropped with its last session.

mod entry;
mod inventory;
mod loader;
mod plan;
mod plugin_registry;
mod plugin_set;
mod scan;
mod settings;
mod table;
mod watch;

pub use self::inventory::{Inventory, PluginListing, PluginListingEntry, PluginStatus};
pub use self::plugin_registry::PluginRegistry;
pub use self::plugin_set::PluginSet;
pub use self::settings::RegistrySettings;
pub use self::watch::{WatchSettings, watch};
