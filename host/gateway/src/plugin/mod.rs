//! Plugins: loading them, running them in their sandboxes, and making one decision of what several
//! of them say.

mod bindings;
mod calls;
mod component;
pub mod context;
mod convert;
mod engine;
mod host;
mod inventory;
mod library;
mod load;
mod meter;
mod mime;
pub mod pipeline;
mod scan;
mod shelf;
mod source;
pub mod verdict;
mod version;
mod watch;

pub use component::{Component, Instance};
pub use engine::{DEFAULT_INSTANCES, Runtime};
pub use inventory::{Inventory, PluginListing, PluginState, State};
pub use library::{Library, LibrarySettings};
pub use load::{Inspection, LoadError, PluginSet, inspect, load_directory, load_file};
pub use mime::{Mime, Part};
pub(crate) use watch::{WatchSettings, watch};
