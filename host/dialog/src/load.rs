//! Reads dialogs from files.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::dialog::Dialog;
use crate::parse::{self, ParseError};

impl Dialog {
    /// Reads all `.smtp` files below a directory, in the order of their names.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or parsed.
    pub fn load_all(directory: &Path) -> Result<Vec<Self>, LoadError> {
        let mut dialogs = Vec::new();
        for file in files_below(directory)? {
            dialogs.extend(Self::load(&file)?);
        }
        Ok(dialogs)
    }

    /// Reads the dialogs of a file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or parsed.
    pub fn load(file: &Path) -> Result<Vec<Self>, LoadError> {
        let text = std::fs::read_to_string(file).map_err(|error| LoadError::Io {
            file: file.into(),
            error,
        })?;
        Self::parse(file, &text).map_err(|error| LoadError::Parse {
            file: file.into(),
            error,
        })
    }

    /// Parses the dialogs of a text. `file` is the file that contains it.
    ///
    /// # Errors
    ///
    /// Fails if a line is malformed.
    pub fn parse(file: &Path, text: &str) -> Result<Vec<Self>, ParseError> {
        parse::dialogs(file, text)
    }
}

/// Why dialogs cannot be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The file or directory cannot be read.
    Io {
        /// The file or directory.
        file: PathBuf,
        /// The error.
        error: std::io::Error,
    },
    /// The file cannot be parsed.
    Parse {
        /// The file or directory.
        file: PathBuf,
        /// The error.
        error: ParseError,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { file, error } => write!(f, "{}: {error}", file.display()),
            Self::Parse { file, error } => write!(f, "{}:{error}", file.display()),
        }
    }
}

impl std::error::Error for LoadError {}

fn files_below(directory: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let failed = |error| LoadError::Io {
        file: directory.into(),
        error,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "smtp")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
