//! The level and format of the log.

use toml::de::DeValue;
use tracing::level_filters::LevelFilter;

use super::document::Section;
use super::value::{Setting, one_of};

/// The level and format of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Which events are logged.
    pub level: LogLevel,
    /// The format of a line.
    pub format: LogFormat,
}

/// The levels up to which events are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel {
    /// The level of all modules without one of their own.
    pub default: LevelFilter,
    /// Modules such as `postgate::delivery`, and their levels.
    pub modules: Vec<(String, LevelFilter)>,
}

impl Default for LogLevel {
    fn default() -> Self {
        Self {
            default: LevelFilter::INFO,
            modules: Vec::new(),
        }
    }
}

/// The format of a line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people.
    #[default]
    Text,
}

pub(super) fn read(section: &mut Section<'_>) -> Log {
    let default = Log::default();
    Log {
        level: section.value_or("level", default.level),
        format: section.value_or("format", default.format),
    }
}

impl Setting for LogFormat {
    const ALLOWED: &'static str = r#""text" or "json""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(value, &[("json", Self::Json), ("text", Self::Text)])
    }
}

impl Setting for LogLevel {
    const ALLOWED: &'static str = r#""error", "warn", "info", "debug" or "trace", or such levels by module as in "info,postgate::delivery=debug""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let mut level = Self::default();
        for item in value.as_str()?.split(',').map(str::trim) {
            match item.split_once('=') {
                Some(("", _)) => return None,
                Some((module, name)) => level.modules.push((module.to_owned(), named_level(name)?)),
                None => level.default = named_level(item)?,
            }
        }
        Some(level)
    }
}

fn named_level(name: &str) -> Option<LevelFilter> {
    // Reject "": the parser of LevelFilter accepts it as ERROR.
    name.parse().ok().filter(|_| !name.is_empty())
}
