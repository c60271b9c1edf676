//! The file beside a plugin: what the operator decides about this one plugin.

mod breaker;
mod names;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use postgate_contract::{BreakerRules, Event, Grant, Isolation, OnFailure, PluginLimits};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use crate::document::{self, Section};
use crate::error::{ConfigError, Mistake};
use crate::overrides::Overrides;
use crate::value::{Octets, Timeout};

/// What the operator decides about one plugin. Without a file beside the plugin, the default holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// What the client is told where the plugin fails.
    pub on_failure: OnFailure,
    /// What the plugin may use beyond what every plugin may.
    pub grants: Vec<Grant>,
    /// The only events that the plugin is asked about. Nothing: all that it handles.
    pub events: Option<Vec<Event>>,
    /// The names of the only listeners that the plugin works for. Nothing: all.
    pub listeners: Option<Vec<String>>,
    /// What the plugin may use up.
    pub limits: PluginLimits,
    /// How long an instance lives.
    pub isolation: Isolation,
    /// The most instances that there are where sessions share them, at least 1.
    pub shared_instances: u32,
    /// When the plugin is taken out for its failures.
    pub breaker: BreakerRules,
    /// The files that the plugin may read, by the names it knows them by.
    pub files: BTreeMap<String, PathBuf>,
    /// The directory into which each session of the plugin is recorded; it exists.
    pub record: Option<PathBuf>,
    /// The plugin's own configuration, a JSON object. Dates of TOML are texts in it.
    pub config: Value,
}

impl Sidecar {
    /// Reads the file beside a plugin: the same name, with `.toml` in place of `.wasm`. Where there
    /// is none, the default holds.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn load_beside(plugin: &Path) -> Result<Self, Vec<ConfigError>> {
        let file = Self::file_beside(plugin);
        match fs::read_to_string(&file) {
            Ok(text) => Self::parse(&text, &file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(vec![ConfigError::unreadable(&file, &error)]),
        }
    }

    /// The file beside a plugin, which need not exist.
    pub fn file_beside(plugin: &Path) -> PathBuf {
        plugin.with_extension("toml")
    }

    /// Checks the text of a file.
    ///
    /// # Errors
    ///
    /// Every mistake that the text holds, in the order of its lines. What is wrong in the plugin's
    /// own configuration, only the plugin can tell.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Vec<ConfigError>> {
        document::read(text, file, &Overrides::default(), |root| Some(read(root)))
    }

    /// What is wrong in the file beside this plugin where the gateway has these listeners.
    pub fn check_listeners(&self, plugin: &Path, known: &[&str]) -> Vec<ConfigError> {
        let named = self.listeners.iter().flatten();
        let unknown = named.filter(|name| !known.contains(&name.as_str()));
        unknown
            .map(|name| {
                let known = known.join(", ");
                let text = format!("no listener is called {name:?}; there are: {known}");
                conflict(plugin, "listeners", text)
            })
            .collect()
    }

    /// What is wrong in the file beside this plugin where the plugin exports these events.
    pub fn check_events(&self, plugin: &Path, exported: &[Event]) -> Vec<ConfigError> {
        let is_enabled = |event| {
            let events = self.events.as_ref();
            events.is_none_or(|events| events.contains(&event)) && exported.contains(&event)
        };
        let splits_bodies = self.isolation == Isolation::Event && is_enabled(Event::BodyChunk);
        let split = splits_bodies.then(|| {
            let text = "with \"event\" each piece at body-chunk would go to an instance that has seen \
                        nothing before; leave body-chunk out of events, or choose \"message\"";
            conflict(plugin, "isolation", text.to_owned())
        });
        let named = self.events.iter().flatten();
        let missing = named.filter(|event| !exported.contains(event));
        missing
            .map(|event| {
                let exported: Vec<_> = exported.iter().map(|event| event.name()).collect();
                let exported = exported.join(", ");
                let text = format!(
                    "the plugin has no {event:?}; it has: {exported}",
                    event = event.name()
                );
                conflict(plugin, "events", text)
            })
            .chain(split)
            .collect()
    }
}

impl Default for Sidecar {
    fn default() -> Self {
        Self {
            on_failure: OnFailure::default(),
            grants: Vec::new(),
            events: None,
            listeners: None,
            limits: PluginLimits::default(),
            isolation: Isolation::default(),
            shared_instances: SHARED_INSTANCES.get(),
            breaker: BreakerRules::default(),
            files: BTreeMap::new(),
            record: None,
            config: Value::Object(Map::new()),
        }
    }
}

fn conflict(plugin: &Path, key: &str, text: String) -> ConfigError {
    ConfigError {
        file: Sidecar::file_beside(plugin),
        line: None,
        key: key.to_owned(),
        mistake: Mistake::Conflict(text),
    }
}

/// The most instances of a plugin that sessions share, where the operator does not say.
const SHARED_INSTANCES: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

pub(super) fn read(root: &mut Section<'_>) -> Sidecar {
    let isolation = root.or("isolation", Isolation::default());
    let shared_instances = root.or("shared-instances", SHARED_INSTANCES).get();
    Sidecar {
        on_failure: root.or("on-failure", OnFailure::default()),
        grants: root.list("grants").unwrap_or_default(),
        events: root.list("events"),
        listeners: root.list("listeners"),
        limits: root.table("limits", limits),
        isolation,
        shared_instances,
        breaker: root.table("breaker", breaker::read),
        files: root.paths("files"),
        record: record(root),
        config: root
            .free_table("config")
            .map_or_else(|| Value::Object(Map::new()), json_object),
    }
}

fn record(root: &mut Section<'_>) -> Option<PathBuf> {
    let directory: PathBuf = root.value("record")?;
    let directory = root.resolve("record", &directory);
    if !directory.is_dir() {
        let text = format!("{} is no directory; make it first", directory.display());
        root.conflict("record", text);
    }
    Some(directory)
}

fn limits(section: &mut Section<'_>) -> PluginLimits {
    let default = PluginLimits::default();
    let octets = |section: &mut Section<'_>, key, default| section.or(key, Octets(default)).0;
    let timeout = |section: &mut Section<'_>, key, default| section.or(key, Timeout(default)).0;
    let memory = octets(section, "memory", default.memory);
    if memory > PluginLimits::MAX_MEMORY {
        section.conflict("memory", "is at most 1 GiB".to_owned());
    }
    PluginLimits {
        memory,
        cpu: timeout(section, "cpu", default.cpu),
        message_cpu: timeout(section, "message-cpu", default.message_cpu),
        wall: timeout(section, "wall", default.wall),
        message_wall: timeout(section, "message-wall", default.message_wall),
        log_lines: section.or("log-lines", default.log_lines),
        edits: section.or("edits", default.edits),
        delay: section.or("delay", default.delay),
        hostcall_bytes: octets(section, "hostcall-bytes", default.hostcall_bytes),
        dns_queries: section.or("dns-queries", default.dns_queries),
        file_size: octets(section, "file-size", default.file_size),
    }
}

fn json_object(table: &DeTable<'_>) -> Value {
    let members = table.iter();
    let members = members.map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())));
    Value::Object(members.collect())
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Boolean(boolean) => (*boolean).into(),
        DeValue::Datetime(datetime) => datetime.to_string().into(),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => json_object(table),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| integer.to_string().into(), Value::from),
        DeValue::Float(float) => float
            .as_str()
            .parse::<f64>()
            .map_or_else(|_| float.to_string().into(), Value::from),
    }
}
