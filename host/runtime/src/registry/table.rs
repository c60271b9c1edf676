//! The table of plugin files that a registry keeps between scans.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tracing::{error, info, warn};

use super::entry::Entry;
use super::inventory::PluginListing;
use super::plan::{LoadJob, LoadOutcome, Plan, ScanMode};
use super::plugin_set::PluginSet;
use super::scan::Stamp;
use crate::compiler::Code;
use crate::load::{Content, LoadError, plugin_name};

/// A table that several tasks use.
#[derive(Default)]
pub(super) struct SharedTable(Mutex<PluginTable>);

impl SharedTable {
    pub(super) fn lock(&self) -> MutexGuard<'_, PluginTable> {
        // A poisoned lock is usable: no change of the table can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every plugin file, and the set of the active plugins.
#[derive(Default)]
pub(super) struct PluginTable {
    generation: u64,
    entries: BTreeMap<OsString, Entry>,
    /// The error of the last scan, if it failed.
    directory_error: Option<String>,
    orphans: BTreeSet<PathBuf>,
    /// True if the set of the active plugins differs from the last one that was taken.
    is_changed: bool,
    /// The number of loads so far, which is also the number of the latest one.
    loads: u64,
}

impl PluginTable {
    /// Compares the table with the result of a scan, and plans the loads. Entries whose files are gone
    /// are removed.
    pub(super) fn plan(
        &mut self,
        found: &BTreeMap<OsString, Stamp>,
        mode: ScanMode,
        now: Instant,
    ) -> Plan {
        let known = self.entries.keys().cloned();
        let names: BTreeSet<OsString> = known.chain(found.keys().cloned()).collect();
        let mut plan = Plan::default();
        for name in names {
            let entry = self.entries.entry(name.clone()).or_default();
            let Some(stamp) = found.get(&name).copied() else {
                match mode == ScanMode::Everything || entry.is_settled(None, now) {
                    true => self.remove(&name),
                    false => plan.is_unsettled = true,
                }
                continue;
            };
            if mode == ScanMode::Everything {
                plan.jobs.push(self.new_job(name, stamp));
            } else if entry.load.is_some() {
                // The end of the load causes another scan.
            } else if Some(stamp) == entry.last_read {
                entry.settle(Some(stamp));
                if mode == ScanMode::RetryRefused && entry.is_retry_due() {
                    plan.jobs.push(self.new_job(name, stamp));
                }
            } else if entry.is_settled(Some(stamp), now) {
                plan.jobs.push(self.new_job(name, stamp));
            } else {
                plan.is_unsettled = true;
            }
        }
        plan
    }

    fn new_job(&mut self, name: OsString, stamp: Stamp) -> LoadJob {
        self.loads += 1;
        let number = self.loads;
        self.entries.entry(name.clone()).or_default().load = Some(number);
        LoadJob {
            name,
            stamp,
            number,
        }
    }

    /// Returns the entry of a load. Returns `None` if the load is stale: the file is gone, or is being
    /// loaded again.
    fn entry_of(&mut self, job: &LoadJob) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(&job.name)?;
        (entry.load == Some(job.number)).then_some(entry)
    }

    /// Marks a load as ended, however it ended.
    pub(super) fn end_load(&mut self, job: &LoadJob) {
        if let Some(entry) = self.entry_of(job) {
            entry.load = None;
        }
    }

    /// True if this content needs no load: it is active, or was refused and is not to be tried again in
    /// this mode.
    pub(super) fn is_known(&mut self, job: &LoadJob, content: &Content, mode: ScanMode) -> bool {
        let Some(entry) = self.entry_of(job) else {
            return true;
        };
        let refused = entry.refused.as_ref();
        if let Some(refused) = refused.filter(|refused| refused.content.as_ref() == Some(content)) {
            return match mode {
                ScanMode::Changed => true,
                ScanMode::Everything => false,
                ScanMode::RetryRefused => !refused.is_transient,
            };
        }
        let active = entry.active.as_ref();
        let is_active = active.is_some_and(|active| active.content == *content);
        if is_active && entry.error.take().is_some() {
            entry.refused = None;
            info!(
                plugin = plugin_name(job.name.as_ref()),
                "plugin file is again the one that serves"
            );
        }
        is_active
    }

    /// Records the outcome of a load. The outcome of a stale load is ignored.
    ///
    /// # Errors
    ///
    /// Returns the errors of a refused plugin, unless they were returned before.
    pub(super) fn finish_load(
        &mut self,
        job: &LoadJob,
        outcome: LoadOutcome,
    ) -> Result<(), Vec<LoadError>> {
        let generation = self.generation + 1;
        let Some(entry) = self.entry_of(job) else {
            return Ok(());
        };
        entry.load = None;
        entry.settle(Some(job.stamp));
        match outcome {
            LoadOutcome::Accepted(content, plugin) => {
                entry.accept(content, *plugin, generation);
                self.is_changed = true;
                Ok(())
            }
            LoadOutcome::Changed(stamp) => {
                // The file is read as soon as it keeps this stamp.
                entry.last_read = None;
                entry.last_seen = Some(stamp);
                Ok(())
            }
            LoadOutcome::Known => Ok(()),
            LoadOutcome::Refused {
                content,
                code,
                errors,
            } => entry.refuse(content, code, errors),
        }
    }

    fn remove(&mut self, name: &OsStr) {
        if let Some(entry) = self.entries.remove(name)
            && let Some(active) = entry.active
        {
            info!(plugin = active.plugin.name(), "plugin removed");
            active.plugin.metrics().retire();
            self.is_changed = true;
        }
    }

    /// Returns the code that was compiled from a file with this SHA-256.
    pub(super) fn compiled_code(&self, sha256: &str) -> Option<Code> {
        let entries = self.entries.values();
        let active = entries.clone().filter_map(|entry| entry.active.as_ref());
        let active = active.map(|active| (&active.content, active.plugin.code()));
        let refused = entries.filter_map(|entry| entry.refused.as_ref());
        let refused = refused.filter_map(|r| Some((r.content.as_ref()?, r.code.clone()?)));
        let mut all = active.chain(refused);
        let (_, code) = all.find(|(content, _)| content.sha256 == sha256)?;
        Some(code)
    }

    /// Returns the SHA-256 of the active version.
    pub(super) fn active_sha256(&self, name: &OsStr) -> Option<&str> {
        let active = self.entries.get(name)?.active.as_ref()?;
        Some(&active.content.sha256)
    }

    /// Records that the directory cannot be read. The same error is logged once.
    pub(super) fn directory_failed(&mut self, directory: Option<&Path>, error: &io::Error) {
        let directory = directory.unwrap_or_else(|| Path::new(""));
        let text = format!("{}: {error}", directory.display());
        if self.directory_error.as_ref() != Some(&text) {
            error!(
                error = text,
                "cannot look for plugins, the previous ones stay in service"
            );
        }
        self.directory_error = Some(text);
    }

    /// Records that the directory can be read.
    pub(super) fn directory_recovered(&mut self) {
        if self.directory_error.take().is_some() {
            info!("plugins can be looked for again");
        }
    }

    /// Logs each sidecar without a plugin, once.
    pub(super) fn report_orphans(&mut self, orphans: BTreeSet<PathBuf>) {
        for orphan in orphans.difference(&self.orphans) {
            warn!(file = %orphan.display(), "there is no plugin beside this file");
        }
        self.orphans = orphans;
    }

    /// Returns the set of the active plugins if it has changed since the last call.
    pub(super) fn take_changed_set(&mut self) -> Option<PluginSet> {
        if !mem::take(&mut self.is_changed) {
            return None;
        }
        self.generation += 1;
        let active = self.entries.values().filter_map(|e| e.active.as_ref());
        Some(PluginSet {
            generation: self.generation,
            plugins: active.map(|active| Arc::clone(&active.plugin)).collect(),
        })
    }

    pub(super) fn listing(&self) -> PluginListing {
        let known = self.entries.iter().filter(|(_, entry)| entry.is_known());
        PluginListing {
            generation: self.generation,
            error: self.directory_error.clone(),
            plugins: known
                .map(|(name, entry)| entry.listing_entry(name))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
