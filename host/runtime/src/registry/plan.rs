//! The plan that a scan of the plugin directory results in: plugins to load, and the outcome of each
//! load.

use std::ffi::OsString;

use super::scan::Stamp;
use crate::compiler::Code;
use crate::load::{Content, LoadError};
use crate::loaded::LoadedPlugin;

/// The files that a scan reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanMode {
    /// Files that have changed, once they are settled.
    Changed,
    /// All files, at once.
    Everything,
    /// As `Changed`, and also files that were refused for a transient reason, with increasing intervals.
    RetryRefused,
}

/// The work that results from a scan.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The plugins to load, in the order in which sessions ask them.
    pub(super) jobs: Vec<LoadJob>,
    /// True if a file may still be being written.
    pub(super) is_unsettled: bool,
}

/// A plugin that is to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoadJob {
    /// The name of the file.
    pub(super) name: OsString,
    /// The stamp of the files at the scan.
    pub(super) stamp: Stamp,
    /// Identifies this load among all loads.
    pub(super) number: u64,
}

/// The outcome of a load.
pub(super) enum LoadOutcome {
    /// The plugin works.
    Accepted(Content, Box<LoadedPlugin>),
    /// The files changed while they were read, and now have this stamp.
    Changed(Stamp),
    /// The content of the files was loaded or refused before.
    Known,
    /// The plugin cannot be used.
    Refused {
        /// The content of the files, or `None` if they could not be read.
        content: Option<Content>,
        /// The compiled code, if compilation succeeded.
        code: Option<Code>,
        errors: Vec<LoadError>,
    },
}

impl LoadOutcome {
    pub(super) const fn refused(
        content: Option<Content>,
        code: Option<Code>,
        errors: Vec<LoadError>,
    ) -> Self {
        Self::Refused {
            content,
            code,
            errors,
        }
    }
}
