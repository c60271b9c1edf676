//! Loading of plugins: a file is read, compiled, checked against its sidecar, and tried out once.

mod check;
mod error;
mod file_name;
mod inspect;
mod loader;
mod source;
mod trial;

pub use self::error::LoadError;
pub(crate) use self::file_name::{is_visible, plugin_name};
pub use self::inspect::{Inspection, inspect};
pub use self::loader::load_file;
pub(crate) use self::loader::{compile, load};
pub(crate) use self::source::{Content, Source};
