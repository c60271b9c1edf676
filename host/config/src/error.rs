//! Mistakes in the configuration, with their positions.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::file::{MAX_TEXT, read_limited, text_of};

/// A mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as given to the program, or the name of the environment variable or flag.
    pub file: PathBuf,
    /// The line, from 1. `None` if the mistake is not in a line.
    pub line: Option<usize>,
    /// The path of the key, for example `listener[0].address`, counted from 0. Empty if the mistake
    /// is not in a key.
    pub key: String,
    /// What is wrong.
    pub mistake: Mistake,
}

impl ConfigError {
    /// The error for a file that cannot be read.
    pub fn unreadable(file: &Path, error: &io::Error) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            key: String::new(),
            mistake: Mistake::Unreadable(error.to_string()),
        }
    }

    /// The error for a file whose first line that is not UTF-8 is `line`, from 1.
    pub fn not_utf8(file: &Path, line: usize) -> Self {
        let text = "this line is not UTF-8, not even if it is a comment; save the file as UTF-8";
        Self {
            file: file.to_owned(),
            line: Some(line),
            key: String::new(),
            mistake: Mistake::Unreadable(text.to_owned()),
        }
    }
}

/// Reads a file as text in UTF-8, with or without a byte order mark.
///
/// # Errors
///
/// Fails if the file cannot be read, or with the first line that is not UTF-8.
pub(super) fn read_text(file: &Path) -> Result<String, ConfigError> {
    let octets =
        read_limited(file, MAX_TEXT).map_err(|error| ConfigError::unreadable(file, &error))?;
    text_of(octets).map_err(|line| ConfigError::not_utf8(file, line))
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

/// A kind of mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The value conflicts with another one or with this machine. The text explains it.
    Conflict(String),
    /// The key does not allow the value.
    Invalid {
        /// The value in the file.
        found: String,
        /// The allowed values.
        allowed: &'static str,
    },
    /// A required key is absent. The text says what to write.
    Missing(&'static str),
    /// The file is not TOML.
    Syntax(String),
    /// The key is not known.
    UnknownKey {
        /// The known key with a similar spelling.
        nearest: Option<String>,
    },
    /// The key is not known in this table, but above the first one.
    TopLevel(String),
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
            Self::TopLevel(key) => write!(
                f,
                "unknown key in this table: `{key}` stands above the first table of the file"
            ),
            Self::Unreadable(text) => write!(f, "cannot be read: {text}"),
        }
    }
}
