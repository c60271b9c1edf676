//! The worker threads.

use super::document::Section;

/// The worker threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runtime {
    /// The number of threads, at least 1. If `None`, one per core.
    pub workers: Option<usize>,
}

pub(super) fn read(section: &mut Section<'_>) -> Runtime {
    Runtime {
        workers: section
            .above_zero("workers")
            .map(|workers| workers as usize),
    }
}
