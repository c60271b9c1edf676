//! What a library remembers of the plugin directory between two looks at it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};
use wasmtime::component::Component as WasmComponent;

use super::entry::Entry;
use crate::load::source::Content;
use crate::load::{LoadError, PluginSet, plugin_name};
use crate::loaded::LoadedPlugin;
use crate::registry::inventory::PluginListing;
use crate::registry::scan::Stamp;

/// A file counts as whole when it has not changed for so long.
pub(crate) const SETTLE: Duration = Duration::from_millis(200);

/// Which files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// All of them, now.
    Reread,
    /// As `Settle`, and those that were refused for what may pass, ever more rarely.
    Retry,
    /// Those that have changed, once they do not change any more.
    Settle,
}

/// Every plugin file, and the set that they make.
#[derive(Default)]
pub(crate) struct PluginTable {
    generation: u64,
    entries: BTreeMap<OsString, Entry>,
    /// Why the directory cannot be looked into.
    trouble: Option<String>,
    orphans: BTreeSet<PathBuf>,
    /// Whether sessions are to see another set than before.
    is_changed: bool,
    /// How many loads there were.
    jobs: u64,
}

/// What a look at the directory asks for.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    /// What is to be loaded, in the order in which sessions ask.
    pub(crate) jobs: Vec<Job>,
    /// Whether something may still be being written.
    pub(crate) is_unsettled: bool,
}

/// A plugin that is to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// The name of the file.
    pub(crate) name: OsString,
    /// How it looked.
    pub(crate) stamp: Stamp,
    /// Tells this load from all others.
    number: u64,
}

/// What came of loading a plugin.
pub(crate) enum Taken {
    /// It works.
    Accepted(Content, Box<LoadedPlugin>),
    /// It changed while it was read, and looks like this now.
    Changed(Stamp),
    /// What it holds is known already.
    Known,
    /// It cannot be used.
    Refused {
        content: Option<Content>,
        code: Option<WasmComponent>,
        errors: Vec<LoadError>,
    },
}

impl Taken {
    pub(crate) const fn refused(
        content: Option<Content>,
        code: Option<WasmComponent>,
        errors: Vec<LoadError>,
    ) -> Self {
        Self::Refused {
            content,
            code,
            errors,
        }
    }
}

impl PluginTable {
    /// What is to be loaded of what is there. What is gone is removed.
    pub(crate) fn compare(
        &mut self,
        found: &BTreeMap<OsString, Stamp>,
        care: Care,
        now: Instant,
    ) -> Todo {
        let known = self.entries.keys().cloned();
        let names: BTreeSet<OsString> = known.chain(found.keys().cloned()).collect();
        let mut todo = Todo::default();
        for name in names {
            let entry = self.entries.entry(name.clone()).or_default();
            let Some(stamp) = found.get(&name).copied() else {
                match care == Care::Reread || entry.has_come_to_rest(None, now) {
                    true => self.remove(&name),
                    false => todo.is_unsettled = true,
                }
                continue;
            };
            if care == Care::Reread {
                todo.jobs.push(self.job(name, stamp));
            } else if entry.load.is_some() {
                // It is looked at again once that has ended.
            } else if Some(stamp) == entry.tried {
                entry.rest(Some(stamp));
                if care == Care::Retry && entry.takes_another_attempt() {
                    todo.jobs.push(self.job(name, stamp));
                }
            } else if entry.has_come_to_rest(Some(stamp), now) {
                todo.jobs.push(self.job(name, stamp));
            } else {
                todo.is_unsettled = true;
            }
        }
        todo
    }

    fn job(&mut self, name: OsString, stamp: Stamp) -> Job {
        self.jobs += 1;
        let number = self.jobs;
        self.entry(&name).load = Some(number);
        Job {
            name,
            stamp,
            number,
        }
    }

    /// The entry that a load is for, unless it is gone or is being loaded anew.
    fn entry_of(&mut self, job: &Job) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(&job.name)?;
        (entry.load == Some(job.number)).then_some(entry)
    }

    /// A load has come to its end, however.
    pub(crate) fn end(&mut self, job: &Job) {
        if let Some(entry) = self.entry_of(job) {
            entry.load = None;
        }
    }

    /// Whether there is nothing to be done about what a file holds.
    pub(crate) fn recognises(&mut self, job: &Job, content: &Content, care: Care) -> bool {
        let Some(entry) = self.entry_of(job) else {
            return true;
        };
        let refused = entry.refused.as_ref();
        if let Some(refused) = refused.filter(|refused| refused.content.as_ref() == Some(content)) {
            return match care {
                Care::Reread => false,
                Care::Retry => !refused.may_pass,
                Care::Settle => true,
            };
        }
        let serves = entry.active.as_ref();
        let serves = serves.is_some_and(|active| active.content == *content);
        if serves && entry.error.take().is_some() {
            entry.refused = None;
            info!(
                plugin = plugin_name(job.name.as_ref()),
                "plugin file is again the one that serves"
            );
        }
        serves
    }

    /// Takes what came of loading a plugin, and gives back the errors that nobody was told yet. What
    /// is gone meanwhile, or being loaded anew, stays as it is.
    pub(crate) fn finish(&mut self, job: &Job, taken: Taken) -> Result<(), Vec<LoadError>> {
        let generation = self.generation + 1;
        let Some(entry) = self.entry_of(job) else {
            return Ok(());
        };
        entry.load = None;
        entry.rest(Some(job.stamp));
        match taken {
            Taken::Accepted(content, plugin) => {
                entry.accept(content, *plugin, generation);
                self.is_changed = true;
                Ok(())
            }
            Taken::Changed(stamp) => {
                // It is none of what was tried.
                entry.tried = None;
                entry.seen = Some(stamp);
                Ok(())
            }
            Taken::Known => Ok(()),
            Taken::Refused {
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

    /// Code that was compiled from a file with this SHA-256.
    pub(crate) fn compiled(&self, sha256: &str) -> Option<WasmComponent> {
        let entries = self.entries.values();
        let active = entries.clone().filter_map(|entry| entry.active.as_ref());
        let active = active.map(|active| (&active.content, active.plugin.code()));
        let refused = entries.filter_map(|entry| entry.refused.as_ref());
        let refused = refused.filter_map(|r| Some((r.content.as_ref()?, r.code.as_ref()?)));
        let mut all = active.chain(refused);
        let (_, code) = all.find(|(content, _)| content.sha256 == sha256)?;
        Some(code.clone())
    }

    /// The SHA-256 of the version that serves.
    pub(crate) fn sha256(&self, name: &OsStr) -> Option<&str> {
        let active = self.entries.get(name)?.active.as_ref()?;
        Some(&active.content.sha256)
    }

    pub(crate) fn note_trouble(&mut self, directory: Option<&Path>, error: &io::Error) {
        let directory = directory.unwrap_or_else(|| Path::new(""));
        let text = format!("{}: {error}", directory.display());
        if self.trouble.as_ref() != Some(&text) {
            error!(
                error = text,
                "cannot look for plugins, the previous ones stay in service"
            );
        }
        self.trouble = Some(text);
    }

    pub(crate) fn note_end_of_trouble(&mut self) {
        if self.trouble.take().is_some() {
            info!("plugins can be looked for again");
        }
    }

    /// Says of each file beside no plugin, once, that nobody reads it.
    pub(crate) fn note_orphans(&mut self, orphans: BTreeSet<PathBuf>) {
        for orphan in orphans.difference(&self.orphans) {
            warn!(file = %orphan.display(), "there is no plugin beside this file");
        }
        self.orphans = orphans;
    }

    /// The set of those that serve, where it is another one than the last time.
    pub(crate) fn take_set(&mut self) -> Option<PluginSet> {
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

    pub(crate) fn listing(&self) -> PluginListing {
        let known = self.entries.iter().filter(|(_, entry)| entry.is_known());
        PluginListing {
            generation: self.generation,
            error: self.trouble.clone(),
            plugins: known.map(|(name, entry)| entry.state(name)).collect(),
        }
    }

    fn entry(&mut self, name: &OsStr) -> &mut Entry {
        self.entries.entry(name.to_owned()).or_default()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
