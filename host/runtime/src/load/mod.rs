//! Loading of plugins: a file is read, compiled, checked against its sidecar, and tried out once.

mod check;
mod compile;
mod error;
mod file_name;
mod inspect;
mod loader;
mod source;
mod trial;
mod version;

pub(crate) use self::compile::compile_blocking;
pub use self::error::{ComponentError, LoadError};
pub(crate) use self::file_name::{is_visible, plugin_name};
pub use self::inspect::{Inspection, inspect};
pub(crate) use self::loader::load;
pub use self::loader::load_file;
pub(crate) use self::source::{Content, Source};
