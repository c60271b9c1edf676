//! Plugins: loading them, running them in their sandboxes, and making one decision of what several
//! of them say.

mod bindings;
pub mod breaker;
mod calls;
mod component;
pub mod context;
mod convert;
mod engine;
mod files;
mod host;
mod instance;
mod inventory;
mod library;
mod load;
mod meter;
mod mime;
pub mod observer;
pub mod pipeline;
mod scan;
mod shared;
mod shelf;
pub mod shown;
mod source;
mod store;
pub mod tape;
pub mod verdict;
mod version;
mod watch;

pub use component::Component;
pub use engine::{DEFAULT_INSTANCES, Runtime};
pub use instance::Instance;
pub use inventory::{Inventory, PluginListing, PluginState, State};
pub use library::{Library, LibrarySettings};
pub use load::{Inspection, LoadError, PluginSet, inspect, load_file};
pub use mime::{Facts, Mime, MimeVersion, Part};
pub use store::SessionStores;
pub(crate) use watch::{WatchSettings, watch};
