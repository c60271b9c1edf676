//! What follows from a look at the plugin directory: the files to read, and what was read of them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::look::{Look, Stamp};
use crate::compiler::Code;
use crate::load::{Content, LoadError, Source};
use crate::loaded::LoadedPlugin;

/// The files that a look leads to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanMode {
    /// Files that have changed, once they are settled.
    Changed,
    /// All files, at once.
    Everything,
    /// As `Changed`, and also files that were refused for a transient reason, with increasing intervals.
    RetryRefused,
}

/// The changes that a look has found. They belong together.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The plugins to read, in the order in which sessions ask them.
    pub(super) reads: Vec<OsString>,
    /// The plugins that are gone.
    pub(super) removals: Vec<OsString>,
    /// Plugins that keep changing, and do not hold up the others any more.
    pub(super) aside: BTreeSet<OsString>,
    /// True if a file may still be being written.
    pub(super) is_unsettled: bool,
}

/// Changes that are proved to belong together: between two looks that have found the same, all of it was
/// read.
#[derive(Default)]
pub(super) struct Snapshot {
    pub(super) files: Vec<ReadFile>,
    /// The plugins that are gone.
    pub(super) removals: Vec<OsString>,
}

/// The files of a plugin, as they were read.
pub(super) struct ReadFile {
    pub(super) name: OsString,
    pub(super) stamp: Stamp,
    pub(super) source: Result<Source, LoadError>,
}

impl Snapshot {
    /// Carries out a plan that follows from a look. Returns `None` if the directory changed meanwhile.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be read.
    pub(super) fn take(
        look: &Look,
        plan: Plan,
        directory: Option<&Path>,
        max_file_size: u64,
    ) -> io::Result<Option<Self>> {
        let mut files = Vec::with_capacity(plan.reads.len());
        for name in plan.reads {
            let (source, stamp) = look.read(&name, max_file_size);
            if look.plugins.get(&name) != Some(&stamp) {
                return Ok(None);
            }
            files.push(ReadFile {
                name,
                stamp,
                source,
            });
        }
        let again = Look::at(directory)?;
        Ok(again.is_same(look, &plan.aside).then_some(Self {
            files,
            removals: plan.removals,
        }))
    }
}

/// Identifies a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoadId {
    /// The name of the file.
    pub(super) name: OsString,
    /// The number of this load among all loads.
    pub(super) number: u64,
}

/// A plugin that is to be loaded.
pub(super) struct LoadJob {
    pub(super) id: LoadId,
    pub(super) source: Source,
    /// How long the other files of the change wait for this one.
    pub(super) patience: Duration,
}

/// The outcome of a load.
pub(super) enum LoadOutcome {
    /// The plugin works.
    Accepted(Content, Box<LoadedPlugin>),
    /// The content of the files was loaded or refused before.
    Known(Content),
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
