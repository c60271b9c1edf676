//! A mistake of the operator: where it is, what it is, and what is allowed instead.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named to the program; or the environment variable or flag, by its name.
    pub file: PathBuf,
    /// The line, beginning with 1. Nothing where the mistake is in no line.
    pub line: Option<usize>,
    /// The path of the key, for example `listener[0].address`, counted from 0. Empty where the
    /// mistake is in no key.
    pub key: String,
    /// What is wrong.
    pub mistake: Mistake,
}

impl ConfigError {
    /// The file cannot be read.
    pub fn unreadable(file: &Path, error: &io::Error) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            key: String::new(),
            mistake: Mistake::Unreadable(error.to_string()),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.mistake)
    }
}

impl std::error::Error for ConfigError {}

/// What can be wrong in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The value is good by itself, but not here. The text says why and what helps.
    Conflict(String),
    /// The value is not one that this key takes.
    Invalid {
        /// The value as it is written.
        found: String,
        /// What the key takes.
        allowed: &'static str,
    },
    /// A key that must be there is not. The text says what to write.
    Missing(&'static str),
    /// The file is not TOML.
    Syntax(String),
    /// There is no such key.
    UnknownKey {
        /// The key that may have been meant.
        nearest: Option<String>,
    },
    /// The file cannot be read.
    Unreadable(String),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(text) => f.write_str(text),
            Self::Invalid { found, allowed } => write!(f, "expected {allowed}, found {found}"),
            Self::Missing(remedy) => write!(f, "missing; {remedy}"),
            Self::Syntax(text) => write!(f, "not TOML: {text}"),
            Self::UnknownKey { nearest: None } => f.write_str("unknown key"),
            Self::UnknownKey {
                nearest: Some(nearest),
            } => write!(f, "unknown key; did you mean `{nearest}`?"),
            Self::Unreadable(text) => write!(f, "cannot be read: {text}"),
        }
    }
}
