//! The table entry of one plugin file: its last known stamp, the version that is active, and the version
//! that was refused.

use std::ffi::OsStr;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inventory::{PluginListingEntry, PluginStatus};
use super::scan::Stamp;
use crate::compiler::Code;
use crate::load::{Content, LoadError, plugin_name};
use crate::loaded::LoadedPlugin;
use postgate_contract::Event;

/// One plugin file.
#[derive(Default)]
pub(super) struct Entry {
    /// The stamp at the last scan.
    pub(super) last_seen: Option<Stamp>,
    /// The stamp when the file was last read.
    pub(super) last_read: Option<Stamp>,
    /// The time since which the stamp has been different at each scan.
    unsettled_since: Option<Instant>,
    pub(super) active: Option<ActiveVersion>,
    /// The reasons why the file that was last read is not active.
    pub(super) error: Option<String>,
    /// The version that was refused for these reasons.
    pub(super) refused: Option<RefusedVersion>,
    /// The number of the load under way.
    pub(super) load: Option<u64>,
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

    /// Updates the stamp. Returns true if the file is settled and may be read: the stamp is the same as
    /// before, or the file is replaced again and again for longer than [`MAX_UNSETTLED`].
    pub(super) fn is_settled(&mut self, stamp: Option<Stamp>, now: Instant) -> bool {
        let before = mem::replace(&mut self.last_seen, stamp);
        let since = *self.unsettled_since.get_or_insert(now);
        let is_replaced = match (&stamp, &before) {
            (Some(stamp), Some(before)) => stamp.is_replacement_of(before),
            _ => false,
        };
        stamp == before || (is_replaced && now.duration_since(since) >= MAX_UNSETTLED)
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
    pub(super) fn accept(&mut self, content: Content, plugin: LoadedPlugin, generation: u64) {
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
    pub(super) fn refuse(
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

    /// Records that the file was read with this stamp, or still has the stamp of the last reading.
    pub(super) fn settle(&mut self, stamp: Option<Stamp>) {
        self.last_seen = stamp;
        self.last_read = stamp;
        self.unsettled_since = None;
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
        PluginListingEntry {
            name: plugin_name(name.as_ref()),
            state: match (active, &self.error) {
                (Some(_), None) => PluginStatus::Active,
                (Some(_), Some(_)) => PluginStatus::Outdated,
                (None, _) => PluginStatus::Refused,
            },
            version: active.and_then(|active| active.plugin.version().map(str::to_owned)),
            sha256: active.map(|active| active.content.sha256.clone()),
            generation: active.map(|active| active.generation),
            events: active.map(events).unwrap_or_default(),
            grants: active.map(grants).unwrap_or_default(),
            error: self.error.clone(),
        }
    }
}

/// A file is settled if its stamp has not changed for this time.
pub(super) const SETTLE_TIME: Duration = Duration::from_millis(200);

/// A file that is replaced again and again is read after this time, because each replacement was a
/// complete file.
const MAX_UNSETTLED: Duration = Duration::from_millis(700);

// A change must serve new sessions within a second; these two times leave the rest for compilation.
const _: () = assert!(SETTLE_TIME.as_millis() + MAX_UNSETTLED.as_millis() < 1_000);

/// The greatest number of times that the interval between attempts doubles.
const MAX_DOUBLINGS: u32 = 6;
