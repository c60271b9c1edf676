//! The file beside a plugin: what the operator decides about this one plugin.

mod breaker;
mod event;
mod grant;
mod isolation;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

pub use self::breaker::BreakerRules;
pub use self::event::Event;
pub use self::grant::Grant;
pub use self::isolation::Isolation;
use super::document::{self, Section};
use super::error::{ConfigError, Mistake};
use super::overrides::Overrides;
use super::value::{Octets, Setting, Timeout};

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

/// What the client is told where a plugin fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing: as if the plugin had no objection.
    Accept,
    /// A permanent refusal.
    Reject,
    /// To try again later.
    #[default]
    Tempfail,
}

impl Setting for OnFailure {
    const ALLOWED: &'static str = r#""tempfail", "accept" or "reject""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "accept" => Some(Self::Accept),
            "reject" => Some(Self::Reject),
            "tempfail" => Some(Self::Tempfail),
            _ => None,
        }
    }
}

/// What one instance of a plugin may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginLimits {
    /// Memory in octets, at most [`Self::MAX_MEMORY`].
    pub memory: u32,
    /// Time on a processor for an event other than `message`.
    pub cpu: Duration,
    /// Time on a processor for a `message` event.
    pub message_cpu: Duration,
    /// Time on the clock for an event other than `message`.
    pub wall: Duration,
    /// Time on the clock for a `message` event.
    pub message_wall: Duration,
    /// Lines of the log in one event.
    pub log_lines: u32,
    /// Changes in one answer.
    pub edits: u32,
    /// The longest delay that an answer may ask for.
    pub delay: Duration,
    /// Octets that the guest may hand over in one call of the host, or in an answer.
    pub hostcall_bytes: u32,
    /// Questions to the Domain Name System in one event.
    pub dns_queries: u32,
    /// The size in octets of a file that it may read.
    pub file_size: u32,
}

impl PluginLimits {
    /// The largest memory that a plugin may be given, in octets.
    pub const MAX_MEMORY: u32 = 1 << 30;
}

/// The most instances of a plugin that sessions share, where the operator does not say.
const SHARED_INSTANCES: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory: 32 << 20,
            cpu: Duration::from_millis(50),
            message_cpu: Duration::from_millis(500),
            wall: Duration::from_secs(5),
            message_wall: Duration::from_secs(30),
            log_lines: 64,
            edits: 256,
            delay: Duration::from_secs(15),
            hostcall_bytes: 4 << 20,
            dns_queries: 100,
            file_size: 16 << 20,
        }
    }
}

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
