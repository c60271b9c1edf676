//! The settings of a spool.

use std::path::PathBuf;

/// Where a spool stores octets, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// The most octets in memory. The spool moves a larger message to a file.
    pub memory: usize,
    /// The largest message, in octets.
    pub limit: u64,
    /// The directory for files, or `None` for the system's directory for temporary files.
    pub directory: Option<PathBuf>,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self {
            memory: 1024 * 1024,
            limit: 25 * 1024 * 1024,
            directory: None,
        }
    }
}
