//! What a change makes of a plugin, until all of the change can serve.

use std::collections::BTreeSet;
use std::ffi::OsString;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::plan::LoadOutcome;
use crate::load::{Content, plugin_name};

/// What a change makes of a plugin.
pub(super) struct Pending {
    pub(super) change: Change,
    pub(super) step: Step,
}

/// A change of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// What has the same number serves at the same time.
    pub(super) number: u64,
    /// How many changes in a row have taken the place of another one before that could serve.
    pub(super) restarts: u32,
}

impl Pending {
    /// True if this is to be loaded before a later change takes its place: so many have done so that
    /// nothing new would ever serve.
    pub(super) const fn is_due(&self) -> bool {
        matches!(self.step, Step::Loading(_)) && self.change.restarts >= MAX_RESTARTS
    }
}

/// How many changes in a row may take the place of another one before that could serve.
const MAX_RESTARTS: u32 = 4;

/// How far a plugin is in a change.
pub(super) enum Step {
    /// It is being loaded, and the change waits for it.
    Loading(Load),
    /// It is being loaded, and the change has gone ahead without it.
    Late(Load),
    /// It is loaded or refused, and waits for the rest of the change.
    Loaded(LoadOutcome),
    /// Its files are gone. It serves until these do.
    Removal(Successors),
}

/// A load under way.
pub(super) struct Load {
    pub(super) number: u64,
    pub(super) content: Content,
    pub(super) task: LoadTask,
}

/// The task of a load. Dropping it ends the load.
pub(super) struct LoadTask {
    handle: AbortHandle,
    /// Closed when the load has ended.
    pub(super) ended: watch::Receiver<()>,
}

impl LoadTask {
    /// Starts a load.
    pub(super) fn spawn(load: impl Future<Output = ()> + Send + 'static) -> Self {
        let (sender, ended) = watch::channel(());
        let task = tokio::spawn(async move {
            let _ending = sender;
            load.await;
        });
        Self {
            handle: task.abort_handle(),
            ended,
        }
    }
}

impl Drop for LoadTask {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// The plugins that are new in a change that also removes one. They may be what it was renamed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Successors(pub(super) BTreeSet<OsString>);

impl Successors {
    /// Says why a plugin still serves whose files are gone.
    pub(super) fn why_not_removed(&self) -> String {
        let names = self.0.iter().map(|name| plugin_name(name.as_ref()));
        let names: Vec<_> = names.collect();
        match names.is_empty() {
            true => "its file is gone; it serves until the rest of that change does".to_owned(),
            false => format!(
                "its file is gone; it serves until what came with that change does or is taken away: {}",
                names.join(", ")
            ),
        }
    }
}
