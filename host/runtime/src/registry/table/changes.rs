//! Changes: what was found by one look serves at one time.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::mem;
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use super::{Entry, PluginTable};
use crate::load::{LoadError, Source, plugin_name};
use crate::registry::pending::{Change, Load, LoadTask, Pending, Step, Successors};
use crate::registry::plan::{LoadId, LoadJob, LoadOutcome, ScanMode, Snapshot};

/// A plugin that was refused, and why.
pub(in super::super) type Refusal = (OsString, Vec<LoadError>);

impl PluginTable {
    /// Begins the change that a snapshot of the directory shows, and starts the loads that it needs. A
    /// change under way that concerns one of the same plugins becomes part of it.
    pub(in super::super) fn begin(
        &mut self,
        snapshot: Snapshot,
        mode: ScanMode,
        start: &mut dyn FnMut(LoadJob) -> LoadTask,
    ) {
        let Snapshot { files, removals } = snapshot;
        let names = files.iter().map(|file| &file.name).chain(&removals);
        let change = self.absorb(names);
        let mut additions = self.additions(change);
        let mut loads = Vec::new();
        for file in files {
            let entry = self.entries.entry(file.name.clone()).or_default();
            if entry.has_changed() && entry.active.is_none() {
                additions.insert(file.name.clone());
            }
            entry.settle(Some(file.stamp));
            let outcome = match file.source {
                Err(error) => LoadOutcome::refused(None, None, vec![error]),
                Ok(source) if entry.is_known_content(&source.content, mode) => {
                    LoadOutcome::Known(source.content)
                }
                Ok(source) if entry.is_pending_content(&source.content) => continue,
                Ok(source) => {
                    loads.push((file.name, source));
                    continue;
                }
            };
            let step = Step::Loaded(outcome);
            entry.pending = Some(Pending { change, step });
        }
        self.begin_removals(change, removals, &additions);
        let patience = match self.replaces(change, &loads) {
            true => PATIENCE_OF_RELEASES,
            false => PATIENCE_OF_ADDITIONS,
        };
        for (name, source) in loads {
            self.start(change, name, source, patience, start);
        }
    }

    /// Returns the plugins that are new by a change under way.
    fn additions(&self, change: Change) -> BTreeSet<OsString> {
        let is_addition = |entry: &Entry| {
            let is_part = entry.pending.as_ref().is_some_and(|p| p.change == change);
            is_part && entry.active.is_none() && entry.is_there()
        };
        let entries = self.entries.iter();
        let additions = entries.filter(|(_, entry)| is_addition(entry));
        additions.map(|(name, _)| name.clone()).collect()
    }

    /// Returns a new change of these plugins, of which each change under way that concerns one of them
    /// becomes a part.
    fn absorb<'a>(&mut self, names: impl Iterator<Item = &'a OsString>) -> Change {
        self.numbers += 1;
        let entries = names.filter_map(|name| self.entries.get(name)?.pending.as_ref());
        let absorbed: Vec<Change> = entries.map(|pending| pending.change).collect();
        let restarts = absorbed.iter().map(|change| change.restarts + 1).max();
        let change = Change {
            number: self.numbers,
            restarts: restarts.unwrap_or(0),
        };
        let pending = self.entries.values_mut();
        for pending in pending.filter_map(|entry| entry.pending.as_mut()) {
            if absorbed.contains(&pending.change) {
                pending.change = change;
            }
        }
        change
    }

    /// True if a part of this change that is not loaded yet, or is to be loaded, or a removal, is for a
    /// plugin that serves.
    fn replaces(&self, change: Change, loads: &[(OsString, Source)]) -> bool {
        let is_waited_for = |entry: &Entry| match &entry.pending {
            Some(pending) => match pending.step {
                Step::Loaded(LoadOutcome::Known(_)) | Step::Late(_) => false,
                Step::Loading(_) | Step::Loaded(_) | Step::Removal(_) => pending.change == change,
            },
            None => false,
        };
        let is_loaded = |name: &OsString| loads.iter().any(|(loaded, _)| loaded == name);
        self.entries.iter().any(|(name, entry)| {
            entry.active.is_some() && (is_waited_for(entry) || is_loaded(name))
        })
    }

    fn start(
        &mut self,
        change: Change,
        name: OsString,
        source: Source,
        patience: Duration,
        start: &mut dyn FnMut(LoadJob) -> LoadTask,
    ) {
        self.numbers += 1;
        let id = LoadId {
            name,
            number: self.numbers,
        };
        let entry = self.entries.entry(id.name.clone()).or_default();
        let load = Load {
            number: id.number,
            content: source.content.clone(),
            task: start(LoadJob {
                id,
                source,
                patience,
            }),
        };
        // What was being loaded before is not needed any more.
        entry.pending = Some(Pending {
            change,
            step: Step::Loading(load),
        });
    }

    fn begin_removals(
        &mut self,
        change: Change,
        removals: Vec<OsString>,
        additions: &BTreeSet<OsString>,
    ) {
        for name in removals {
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.settle(None);
                let step = Step::Removal(Successors(additions.clone()));
                entry.pending = Some(Pending { change, step });
            }
        }
    }

    /// Lets a change go ahead without a plugin that takes long to load.
    pub(in super::super) fn go_ahead_without(&mut self, id: &LoadId) {
        let Some(pending) = self.pending_of(id) else {
            return;
        };
        let nothing = Step::Removal(Successors::default());
        pending.step = match mem::replace(&mut pending.step, nothing) {
            Step::Loading(load) => Step::Late(load),
            step => step,
        };
        warn!(
            plugin = plugin_name(id.name.as_ref()),
            "plugin takes long to load, what has changed with it goes ahead"
        );
    }

    /// Records the outcome of a load, which serves when all of its change does. The outcome of a load is
    /// ignored if the file is gone, or is being loaded again.
    pub(in super::super) fn finish_load(&mut self, id: &LoadId, outcome: LoadOutcome) {
        if let Some(pending) = self.pending_of(id) {
            pending.step = Step::Loaded(outcome);
        }
    }

    fn pending_of(&mut self, id: &LoadId) -> Option<&mut Pending> {
        let pending = self.entries.get_mut(&id.name)?.pending.as_mut()?;
        match &pending.step {
            Step::Loading(load) | Step::Late(load) if load.number == id.number => Some(pending),
            Step::Loading(_) | Step::Late(_) | Step::Loaded(_) | Step::Removal(_) => None,
        }
    }

    /// Returns what is closed at the end of each load under way.
    pub(in super::super) fn loads(&self) -> Vec<watch::Receiver<()>> {
        let pending = self.entries.values().filter_map(|e| e.pending.as_ref());
        let loads = pending.filter_map(|pending| match &pending.step {
            Step::Loading(load) | Step::Late(load) => Some(load.task.ended.clone()),
            Step::Loaded(_) | Step::Removal(_) => None,
        });
        loads.collect()
    }

    /// Carries out the changes of which nothing is waited for. Returns the plugins that were refused.
    pub(in super::super) fn apply_complete_changes(&mut self) -> Vec<Refusal> {
        let pending = self.entries.values().filter_map(|e| e.pending.as_ref());
        let open = pending.filter(|pending| matches!(pending.step, Step::Loading(_)));
        let open: BTreeSet<u64> = open.map(|pending| pending.change.number).collect();
        let generation = self.generation + 1;
        let mut refusals = Vec::new();
        for (name, entry) in &mut self.entries {
            let complete = entry.pending.take_if(|pending| {
                matches!(pending.step, Step::Loaded(_)) && !open.contains(&pending.change.number)
            });
            let Some(Pending {
                step: Step::Loaded(outcome),
                ..
            }) = complete
            else {
                continue;
            };
            match entry.apply(name, outcome, generation) {
                Ok(is_changed) => self.is_changed |= is_changed,
                Err(errors) => refusals.push((name.clone(), errors)),
            }
        }
        while let Some(name) = self.next_removal(&open) {
            self.remove(&name);
        }
        refusals
    }

    /// Finds a plugin to remove whose change is complete, and whose successors serve or are gone.
    fn next_removal(&self, open: &BTreeSet<u64>) -> Option<OsString> {
        let serves_or_is_gone = |name: &OsString| {
            let entry = self.entries.get(name);
            entry.is_none_or(|entry| entry.active.is_some())
        };
        let mut entries = self.entries.iter();
        let (name, _) = entries.find(|(_, entry)| match &entry.pending {
            Some(Pending {
                change,
                step: Step::Removal(Successors(successors)),
            }) => {
                let is_needed = entry.active.is_some() && !successors.iter().all(serves_or_is_gone);
                !open.contains(&change.number) && !is_needed
            }
            _ => false,
        })?;
        Some(name.clone())
    }
}

/// How long a change waits for a plugin to load if it takes the place of something that serves.
const PATIENCE_OF_RELEASES: Duration = Duration::from_secs(30);

/// How long a change waits for a plugin to load if it does nothing but add plugins.
const PATIENCE_OF_ADDITIONS: Duration = Duration::from_millis(500);
