//! The table entry of one plugin file: its last known stamp, the version that is active, and the version
//! that was refused.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::info;

use super::inventory::{PluginListingEntry, PluginStatus};
use super::look::{Moment, Stamp};
use super::pending::{Pending, Step};
use super::plan::{LoadOutcome, ScanMode};
use super::sighting::{SETTLE_TIME, Sightings, Sign};
use crate::compiler::Code;
use crate::load::{Content, LoadError, plugin_name};
use crate::loaded::LoadedPlugin;
use postgate_contract::Event;

/// One plugin file.
#[derive(Default)]
pub(super) struct Entry {
    seen: Sightings,
    /// The stamp when the file was last read, or `None` if it was not read, or was gone.
    last_read: Option<Stamp>,
    /// The time since which the files are not those that were last read.
    changed_since: Option<Instant>,
    pub(super) active: Option<ActiveVersion>,
    /// The reasons why the file that was last read is not active.
    pub(super) error: Option<String>,
    /// The version that was refused for these reasons.
    pub(super) refused: Option<RefusedVersion>,
    /// What the latest change makes of it.
    pub(super) pending: Option<Pending>,
}

/// What a look means for a plugin file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Its files are those that were last read.
    Same,
    /// They have changed, this long ago, and are complete. Or they are gone.
    Complete(Duration),
    /// They have changed, this long ago, and may still be being written.
    Unsettled(Duration),
}

/// The version of a plugin in the set of new sessions.
pub(super) struct ActiveVersion {
    pub(super) plugin: Arc<LoadedPlugin>,
    pub(super) content: Content,
    pub(super) generation: u64,
}

/// A version of a plugin that cannot be used.
pub(super) struct RefusedVersion {
    /// The content of the files, or `None` if they could not be read.
    pub(super) content: Option<Content>,
    /// The compiled code, if compilation succeeded.
    pub(super) code: Option<Code>,
    /// True if a later attempt may succeed.
    pub(super) is_transient: bool,
    /// The number of attempts after the first one.
    attempts: u32,
    /// The number of retries to skip before the next attempt.
    skips: u32,
}

impl Entry {
    /// True if the file was loaded or refused.
    pub(super) const fn is_known(&self) -> bool {
        self.active.is_some() || self.error.is_some()
    }

    /// Records what a look has found.
    pub(super) fn see(&mut self, stamp: Option<Stamp>, moment: Moment) {
        self.seen.see(stamp, moment);
        match self.seen.stamp() == self.last_read {
            true => self.changed_since = None,
            false => _ = self.changed_since.get_or_insert(moment.time),
        }
    }

    /// Returns what the latest look means in this mode.
    pub(super) fn sight(&self, mode: ScanMode, now: Instant) -> Sight {
        let Some(since) = self.changed_since else {
            return Sight::Same;
        };
        let age = now.duration_since(since);
        let sign = match mode {
            ScanMode::Everything => Sign::Present,
            ScanMode::Changed | ScanMode::RetryRefused if age >= MAX_UNSETTLED => Sign::Replaced,
            ScanMode::Changed | ScanMode::RetryRefused => Sign::Settled,
        };
        match self.seen.show(sign, now) {
            true => Sight::Complete(age),
            false => Sight::Unsettled(age),
        }
    }

    /// True if the file was there at the latest look.
    pub(super) fn is_there(&self) -> bool {
        self.seen.stamp().is_some()
    }

    /// True if the files are not those that were last read.
    pub(super) const fn has_changed(&self) -> bool {
        self.changed_since.is_some()
    }

    /// True if the load under way comes before any other.
    pub(super) fn is_due(&self) -> bool {
        self.pending.as_ref().is_some_and(Pending::is_due)
    }

    /// True if there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_there() && !self.is_known() && self.pending.is_none()
    }

    /// True if this content is being loaded, or was loaded and waits for the rest of its change.
    pub(super) fn is_pending_content(&self, content: &Content) -> bool {
        let pending = self.pending.as_ref();
        pending.is_some_and(|pending| match &pending.step {
            Step::Loading(load) | Step::Late(load) => load.content == *content,
            Step::Loaded(LoadOutcome::Accepted(loaded, _)) => loaded == content,
            Step::Loaded(_) | Step::Removal(_) => false,
        })
    }

    /// Records that the file was read with this stamp, or has gone.
    pub(super) fn settle(&mut self, stamp: Option<Stamp>) {
        self.last_read = stamp;
        self.changed_since = None;
    }

    /// True if this content needs no load: it is active, or was refused and is not to be tried again in
    /// this mode.
    pub(super) fn is_known_content(&self, content: &Content, mode: ScanMode) -> bool {
        let refused = self.refused.as_ref();
        if let Some(refused) = refused.filter(|refused| refused.content.as_ref() == Some(content)) {
            return match mode {
                ScanMode::Changed => true,
                ScanMode::Everything => false,
                ScanMode::RetryRefused => !refused.is_transient,
            };
        }
        let active = self.active.as_ref();
        active.is_some_and(|active| active.content == *content)
    }

    /// Makes the outcome of a load the state of the plugin. Returns true if another version is active.
    ///
    /// # Errors
    ///
    /// Returns the errors of a refused plugin, unless they were returned before.
    pub(super) fn apply(
        &mut self,
        name: &OsStr,
        outcome: LoadOutcome,
        generation: u64,
    ) -> Result<bool, Vec<LoadError>> {
        match outcome {
            LoadOutcome::Accepted(content, plugin) => {
                self.accept(content, *plugin, generation);
                Ok(true)
            }
            LoadOutcome::Known(content) => {
                let active = self.active.as_ref();
                let is_active = active.is_some_and(|active| active.content == content);
                if is_active && self.error.take().is_some() {
                    self.refused = None;
                    let plugin = plugin_name(name.as_ref());
                    info!(plugin, "plugin file is again the one that serves");
                }
                Ok(false)
            }
            LoadOutcome::Refused {
                content,
                code,
                errors,
            } => self.refuse(content, code, errors).map(|()| false),
        }
    }

    /// Returns true if the refused version is to be tried again now. Each call counts as one interval of
    /// the exponential back-off.
    pub(super) const fn is_retry_due(&mut self) -> bool {
        match &mut self.refused {
            Some(refused) if refused.is_transient && refused.skips > 0 => {
                refused.skips -= 1;
                false
            }
            Some(refused) => refused.is_transient,
            None => false,
        }
    }

    /// Makes a loaded plugin the active version.
    fn accept(&mut self, content: Content, plugin: LoadedPlugin, generation: u64) {
        if let Some(before) = &self.active {
            before.plugin.metrics().retire();
        }
        self.error = None;
        self.refused = None;
        self.active = Some(ActiveVersion {
            plugin: Arc::new(plugin),
            content,
            generation,
        });
    }

    /// Records a refused version. Returns the errors unless an earlier attempt with the same content
    /// failed with the same errors.
    fn refuse(
        &mut self,
        content: Option<Content>,
        code: Option<Code>,
        errors: Vec<LoadError>,
    ) -> Result<(), Vec<LoadError>> {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let before = self.error.replace(lines.join("\n"));
        let attempts = match &self.refused {
            Some(refused) if refused.content == content => refused.attempts.saturating_add(1),
            _ => 0,
        };
        self.refused = Some(RefusedVersion {
            content,
            code,
            is_transient: errors.iter().all(LoadError::is_transient),
            attempts,
            skips: (1_u32 << attempts.min(MAX_DOUBLINGS)) - 1,
        });
        match attempts > 0 && before == self.error {
            true => Ok(()),
            false => Err(errors),
        }
    }

    /// The reasons why this plugin is not what its files are.
    fn trouble(&self) -> Option<String> {
        match &self.pending {
            Some(Pending {
                step: Step::Removal(successors),
                ..
            }) => Some(successors.why_not_removed()),
            _ => self.error.clone(),
        }
    }

    pub(super) fn listing_entry(&self, name: &OsStr) -> PluginListingEntry {
        let active = self.active.as_ref();
        let events = |active: &ActiveVersion| {
            let exported = active.plugin.exported_events();
            let handled = exported.filter(|event| active.plugin.handles(*event));
            handled.map(Event::name).map(str::to_owned).collect()
        };
        let grants = |active: &ActiveVersion| {
            let grants = active.plugin.sidecar().grants.iter();
            grants.map(|grant| grant.name().to_owned()).collect()
        };
        let error = self.trouble();
        PluginListingEntry {
            name: plugin_name(name.as_ref()),
            state: match (active, &error) {
                (Some(_), None) => PluginStatus::Active,
                (Some(_), Some(_)) => PluginStatus::Outdated,
                (None, _) => PluginStatus::Refused,
            },
            version: active.and_then(|active| active.plugin.version().map(str::to_owned)),
            sha256: active.map(|active| active.content.sha256.clone()),
            generation: active.map(|active| active.generation),
            events: active.map(events).unwrap_or_default(),
            grants: active.map(grants).unwrap_or_default(),
            error,
        }
    }
}

/// A file that is replaced again and again is read after this time, because each replacement was a
/// complete file.
const MAX_UNSETTLED: Duration = Duration::from_millis(700);

// A change must serve new sessions within a second; these two times leave the rest for compilation.
const _: () = assert!(SETTLE_TIME.as_millis() + MAX_UNSETTLED.as_millis() < 1_000);

/// The greatest number of times that the interval between attempts doubles.
const MAX_DOUBLINGS: u32 = 6;
