//! The table of plugin files that a registry keeps between looks at their directory.

mod changes;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{error, info, warn};

use super::entry::{Entry, Sight};
use super::inventory::PluginListing;
use super::look::Look;
use super::plan::{Plan, ScanMode};
use super::plugin_set::PluginSet;
use crate::compiler::Code;
use crate::printable::printable_path;

/// A table that several tasks use.
#[derive(Default)]
pub(super) struct SharedTable(Mutex<PluginTable>);

impl SharedTable {
    pub(super) fn lock(&self) -> MutexGuard<'_, PluginTable> {
        // A poisoned lock is usable: no change of the table can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest time that a file which may still be being written holds up others that have changed.
pub(super) const MAX_HOLD: Duration = Duration::from_secs(10);

/// Every plugin file, and the set of the active plugins.
#[derive(Default)]
pub(super) struct PluginTable {
    generation: u64,
    entries: BTreeMap<OsString, Entry>,
    /// The device and the inode of the directory whose plugins serve.
    home: Option<(u64, u64)>,
    /// The error of the last scan, if it failed.
    directory_error: Option<String>,
    orphans: BTreeSet<PathBuf>,
    /// True if the set of the active plugins differs from the last one that was taken.
    is_changed: bool,
    /// The latest number of a change or a load.
    numbers: u64,
}

impl PluginTable {
    /// Compares the table with what a look has found, and plans what to read. Changes that are seen
    /// together are planned together: as long as one file may still be being written, none is read, up to
    /// [`MAX_HOLD`].
    pub(super) fn plan(&mut self, look: &Look, mode: ScanMode) -> Plan {
        for name in look.plugins.keys() {
            self.entries.entry(name.clone()).or_default();
        }
        let mut plan = Plan::default();
        let mut unsettled = BTreeSet::new();
        let mut is_overdue = false;
        for (name, entry) in &mut self.entries {
            entry.see(look.plugins.get(name).copied(), look.moment);
            match entry.sight(mode, look.moment.time) {
                Sight::Same if !entry.is_there() => {}
                Sight::Same => match mode {
                    ScanMode::Everything => plan.reads.push(name.clone()),
                    ScanMode::RetryRefused if entry.is_retry_due() => plan.reads.push(name.clone()),
                    ScanMode::Changed | ScanMode::RetryRefused => {}
                },
                Sight::Complete(_) if mode != ScanMode::Everything && entry.is_due() => {
                    _ = unsettled.insert(name.clone());
                }
                Sight::Complete(age) => {
                    is_overdue |= age >= MAX_HOLD;
                    match entry.is_there() {
                        true => plan.reads.push(name.clone()),
                        false => plan.removals.push(name.clone()),
                    }
                }
                Sight::Unsettled(age) if age >= MAX_HOLD => _ = plan.aside.insert(name.clone()),
                Sight::Unsettled(_) => _ = unsettled.insert(name.clone()),
            }
        }
        self.entries.retain(|_, entry| !entry.is_empty());
        plan.is_unsettled = !unsettled.is_empty() || !plan.aside.is_empty();
        if is_overdue {
            plan.aside.append(&mut unsettled);
        } else if !unsettled.is_empty() {
            plan.reads.clear();
            plan.removals.clear();
        }
        plan
    }

    /// Checks that the plugins of a look may take the place of those that serve. Another directory with no
    /// plugins at all may be one that is being filled, or the place of a file system that is not mounted.
    /// Unless the operator asks for it, it leaves out no filter.
    ///
    /// # Errors
    ///
    /// Fails if it is such a directory.
    pub(super) fn check_home(&mut self, look: &Look, mode: ScanMode) -> io::Result<()> {
        let found = look.moment.directory;
        let home = found.map(|version| (version.device, version.inode));
        let serves = self.entries.values().any(|entry| entry.active.is_some());
        let is_new = self.home != home && look.plugins.is_empty();
        if is_new && serves && mode != ScanMode::Everything {
            let text = "it is another directory than before, and has no plugins";
            return Err(io::Error::other(text));
        }
        self.home = home;
        Ok(())
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
        let text = format!("{}: {error}", printable_path(directory));
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
    pub(super) fn report_orphans(&mut self, orphans: &BTreeSet<PathBuf>) {
        for orphan in orphans.difference(&self.orphans) {
            let file = printable_path(orphan);
            warn!(%file, "there is no plugin beside this file");
        }
        self.orphans.clone_from(orphans);
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
