//! Storage for messages in transit: in memory up to a threshold, then in an unlinked temporary
//! file.
//!
//! Async tasks write and read these files directly, without a blocking thread: octets go to the
//! page cache in chunks of at most 64 KiB, which takes less time than handing over to another
//! thread.

mod content;
mod directory;
mod error;
mod parts;
mod scratch;
mod settings;
mod spool;

pub use self::content::{Chunks, Content};
pub use self::directory::{UnusableDirectory, check_directory};
pub use self::error::{NO_ROOM, SpoolError, is_full};
pub use self::parts::{Check, find_parts};
pub use self::scratch::Scratch;
pub use self::settings::SpoolSettings;
pub use self::spool::Spool;
