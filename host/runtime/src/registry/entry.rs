//! One plugin file: how it looked, what serves of it, and what does not.

use std::ffi::OsStr;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Component as WasmComponent;

use super::table::SETTLE;
use crate::load::source::Content;
use crate::load::{LoadError, plugin_name};
use crate::loaded::LoadedPlugin;
use crate::registry::inventory::{PluginState, State};
use crate::registry::scan::Stamp;
use postgate_contract::Event;

/// A file that is replaced again and again is taken after so long, since each of them came whole.
const RESTLESS: Duration = Duration::from_millis(700);

// A change serves new sessions within a second: these two leave the rest of it for compiling.
const _: () = assert!(SETTLE.as_millis() + RESTLESS.as_millis() < 1_000);

/// One plugin file.
#[derive(Default)]
pub(crate) struct Entry {
    /// How it looked the last time.
    pub(crate) seen: Option<Stamp>,
    /// How it looked when it was read.
    pub(crate) tried: Option<Stamp>,
    /// Since when it looks different each time.
    restless_since: Option<Instant>,
    pub(crate) active: Option<Active>,
    /// Why what was read the last time does not serve.
    pub(crate) error: Option<String>,
    /// What that was.
    pub(crate) refused: Option<Refused>,
    /// The number of the load that is under way.
    pub(crate) load: Option<u64>,
}

/// What does not serve.
pub(crate) struct Refused {
    /// What was read, where it could be.
    pub(crate) content: Option<Content>,
    /// What was compiled from it, where that worked.
    pub(crate) code: Option<WasmComponent>,
    /// Whether it may work at another time.
    pub(crate) may_pass: bool,
    /// How often it was tried again.
    attempts: u32,
    /// How many occasions to try it again are to be left out.
    skips: u32,
}

/// How often the time until the next attempt doubles.
const MAX_DOUBLINGS: u32 = 6;

/// A plugin that serves.
pub(crate) struct Active {
    pub(crate) plugin: Arc<LoadedPlugin>,
    pub(crate) content: Content,
    pub(crate) generation: u64,
}

impl Entry {
    /// Whether anything is known of the file but that it is there.
    pub(crate) const fn is_known(&self) -> bool {
        self.active.is_some() || self.error.is_some()
    }

    /// Notes how the file looks, and says whether it did so at the last look, and may be read.
    pub(crate) fn has_come_to_rest(&mut self, stamp: Option<Stamp>, now: Instant) -> bool {
        let before = mem::replace(&mut self.seen, stamp);
        let since = *self.restless_since.get_or_insert(now);
        let is_replaced = match (&stamp, &before) {
            (Some(stamp), Some(before)) => stamp.is_replacement_of(before),
            _ => false,
        };
        stamp == before || (is_replaced && now.duration_since(since) >= RESTLESS)
    }

    /// Whether it is time to try again what was refused. Asking counts as an occasion.
    pub(crate) const fn takes_another_attempt(&mut self) -> bool {
        match &mut self.refused {
            Some(refused) if refused.may_pass && refused.skips > 0 => {
                refused.skips -= 1;
                false
            }
            Some(refused) => refused.may_pass,
            None => false,
        }
    }

    pub(crate) fn accept(&mut self, content: Content, plugin: LoadedPlugin, generation: u64) {
        if let Some(before) = &self.active {
            before.plugin.metrics().retire();
        }
        self.error = None;
        self.refused = None;
        self.active = Some(Active {
            plugin: Arc::new(plugin),
            content,
            generation,
        });
    }

    /// Gives the errors back, unless they are those of the last attempt with the same content.
    pub(crate) fn refuse(
        &mut self,
        content: Option<Content>,
        code: Option<WasmComponent>,
        errors: Vec<LoadError>,
    ) -> Result<(), Vec<LoadError>> {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let before = self.error.replace(lines.join("\n"));
        let attempts = match &self.refused {
            Some(refused) if refused.content == content => refused.attempts.saturating_add(1),
            _ => 0,
        };
        self.refused = Some(Refused {
            content,
            code,
            may_pass: errors.iter().all(LoadError::may_pass),
            attempts,
            skips: (1_u32 << attempts.min(MAX_DOUBLINGS)) - 1,
        });
        match attempts > 0 && before == self.error {
            true => Ok(()),
            false => Err(errors),
        }
    }

    /// The file was read, or is as it was then.
    pub(crate) fn rest(&mut self, stamp: Option<Stamp>) {
        self.seen = stamp;
        self.tried = stamp;
        self.restless_since = None;
    }

    pub(crate) fn state(&self, name: &OsStr) -> PluginState {
        let active = self.active.as_ref();
        let asked = |active: &Active| {
            let events = active.plugin.exported_events();
            let asked = events.filter(|event| active.plugin.handles(*event));
            asked.map(Event::name).map(str::to_owned).collect()
        };
        let granted = |active: &Active| {
            let grants = active.plugin.sidecar().grants.iter();
            grants.map(|grant| grant.name().to_owned()).collect()
        };
        PluginState {
            name: plugin_name(name.as_ref()),
            state: match (active, &self.error) {
                (Some(_), None) => State::Active,
                (Some(_), Some(_)) => State::Outdated,
                (None, _) => State::Refused,
            },
            version: active.and_then(|active| active.plugin.version().map(str::to_owned)),
            sha256: active.map(|active| active.content.sha256.clone()),
            generation: active.map(|active| active.generation),
            events: active.map(asked).unwrap_or_default(),
            grants: active.map(granted).unwrap_or_default(),
            error: self.error.clone(),
        }
    }
}
