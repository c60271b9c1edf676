//! The sidecar: the file beside a plugin with the settings of this plugin.

mod breaker;
mod names;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use postgate_contract::{BreakerRules, Event, Grant, Isolation, OnFailure, PluginLimits};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use crate::document::{self, Section};
use crate::error::{ConfigError, Mistake};
use crate::file::{MAX_TEXT, read_limited, text_of};
use crate::overrides::Overrides;
use crate::value::{Octets, Setting};

/// The settings of one plugin. The defaults apply if there is no file beside the plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// The handling of an event after the plugin failed.
    pub on_failure: OnFailure,
    /// The host interfaces that the plugin may use in addition to those for every plugin.
    pub grants: Vec<Grant>,
    /// The events that the plugin is called for. If `None`, all that it exports.
    pub events: Option<Vec<Event>>,
    /// The names of the listeners that the plugin is called for. If `None`, all.
    pub listeners: Option<Vec<String>>,
    /// The resource limits of an instance.
    pub limits: PluginLimits,
    /// The lifetime of an instance.
    pub isolation: Isolation,
    /// The most instances of a plugin with [`Isolation::Shared`], at least 1.
    pub shared_instances: u32,
    /// The rules of the circuit breaker.
    pub breaker: BreakerRules,
    /// The files that the plugin may read, by the names that it uses for them.
    pub files: BTreeMap<String, PathBuf>,
    /// The directory for recordings of the plugin's sessions, which exists.
    pub record: Option<PathBuf>,
    /// The plugin's own configuration, a JSON object. TOML dates are strings in it.
    pub config: Value,
}

impl Sidecar {
    /// Reads the file beside a plugin, which has the extension `.toml`. Returns the defaults if it
    /// does not exist.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or as [`Self::parse`].
    pub fn load_beside(plugin: &Path) -> Result<Self, Vec<ConfigError>> {
        let file = Self::file_beside(plugin);
        if file == plugin {
            let text = "this is no plugin; name the `.wasm` file".to_owned();
            return Err(vec![ConfigError {
                file,
                line: None,
                key: String::new(),
                mistake: Mistake::Conflict(text),
            }]);
        }
        match read_limited(&file, MAX_TEXT) {
            Ok(octets) => match text_of(octets) {
                Ok(text) => Self::parse(&text, &file),
                Err(line) => Err(vec![ConfigError::not_utf8(&file, line)]),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(vec![ConfigError::unreadable(&file, &error)]),
        }
    }

    /// The path of the file beside a plugin.
    pub fn file_beside(plugin: &Path) -> PathBuf {
        plugin.with_extension("toml")
    }

    /// Validates `text` as the content of `file`. The plugin validates its own configuration.
    ///
    /// # Errors
    ///
    /// Fails if the text has mistakes. Lists every one, in the order of lines.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Vec<ConfigError>> {
        document::read(text, file, &Overrides::default(), |root| Some(read(root)))
    }

    /// Finds the listeners of the sidecar that are not in `known`.
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

    /// Finds the events of the sidecar that the plugin does not export, and an isolation that does
    /// not fit the events.
    pub fn check_events(&self, plugin: &Path, exported: &[Event]) -> Vec<ConfigError> {
        let is_enabled = |event| {
            let events = self.events.as_ref();
            events.is_none_or(|events| events.contains(&event)) && exported.contains(&event)
        };
        let splits_bodies = self.isolation == Isolation::Event && is_enabled(Event::BodyChunk);
        let split = splits_bodies.then(|| {
            let text = "with \"event\", every body-chunk event goes to a new instance; remove body-chunk \
                        from events, or use \"message\"";
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

/// The default of [`Sidecar::shared_instances`].
const SHARED_INSTANCES: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

pub(super) fn read(root: &mut Section<'_>) -> Sidecar {
    let isolation = root.value_or("isolation", Isolation::default());
    let shared_instances = root.value_or("shared-instances", SHARED_INSTANCES).get();
    Sidecar {
        on_failure: root.value_or("on-failure", OnFailure::default()),
        grants: root.list("grants").unwrap_or_default(),
        events: non_empty(root, "events"),
        listeners: non_empty(root, "listeners"),
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

/// Reads a list of what the plugin is asked about. An empty one would leave out a filter without a word.
fn non_empty<T: Setting>(root: &mut Section<'_>, key: &'static str) -> Option<Vec<T>> {
    let text = "is empty, so that the plugin would never be asked; remove the key for all of them, or the \
                plugin";
    root.non_empty_list(key, text)
}

fn record(root: &mut Section<'_>) -> Option<PathBuf> {
    let directory: PathBuf = root.value("record")?;
    let directory = root.resolve("record", &directory);
    if !directory.is_dir() {
        let text = format!(
            "{} is not a directory; create it first",
            directory.display()
        );
        root.conflict("record", text);
    }
    Some(directory)
}

fn limits(section: &mut Section<'_>) -> PluginLimits {
    let default = PluginLimits::default();
    let octets = |section: &mut Section<'_>, key, default| section.value_or(key, Octets(default)).0;
    let memory = octets(section, "memory", default.memory);
    if memory > PluginLimits::MAX_MEMORY {
        section.conflict("memory", "is at most 1 GiB".to_owned());
    }
    PluginLimits {
        memory,
        cpu: section.timeout("cpu", default.cpu),
        message_cpu: section.timeout("message-cpu", default.message_cpu),
        wall: section.timeout("wall", default.wall),
        message_wall: section.timeout("message-wall", default.message_wall),
        log_lines: section.value_or("log-lines", default.log_lines),
        edits: section.value_or("edits", default.edits),
        delay: section.value_or("delay", default.delay),
        hostcall_bytes: octets(section, "hostcall-bytes", default.hostcall_bytes),
        dns_queries: section.value_or("dns-queries", default.dns_queries),
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
