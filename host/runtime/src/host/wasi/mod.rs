//! WASI for guests whose language needs it, with nothing granted: no files, arguments, environment
//! variables or network. The output of a guest goes to the log.
//!
//! A guest that waits (`wasi:io/poll`) does not block its thread, and the wait counts as wall-clock time.

mod imports;
mod instance;
mod output;
mod view;

pub(crate) use self::imports::is_offered;
pub(super) use self::instance::Wasi;
pub(crate) use self::view::add_to_linker;
