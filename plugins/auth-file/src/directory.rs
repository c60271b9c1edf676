//! The file of users, read through the host.

use std::fmt;

use postgate_plugin::{Pattern, files, log};
use postgate_users::{File, LineError, Secret, User, check_name};

/// The users of a file.
pub(crate) struct Directory {
    file: String,
}

/// The file cannot be used, and the operator has to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    File(String, files::Error),
    Memory(String),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name, error) => write!(f, "file {name:?}: {error}"),
            Self::Memory(reason) => write!(f, "{reason}: raise limits.memory in the sidecar"),
        }
    }
}

impl Directory {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.into() }
    }

    /// The user with this name. Letter case does not matter.
    pub(crate) fn find(&self, name: &str) -> Result<Option<User>, Unavailable> {
        let name = name.to_lowercase();
        if check_name(&name).is_err() {
            return Ok(None);
        }
        let found = files::find_line(&self.file, &format!("{name}:"));
        let Some(line) = found.map_err(|error| self.unavailable(error))? else {
            return Ok(None);
        };
        match parse(&line) {
            Ok(user) => Ok(Some(user)),
            Err(error) => {
                self.warn(self.number(&name)?, &error);
                Ok(None)
            }
        }
    }

    /// A secret of the file, so that checking an unknown user costs as much as checking a known
    /// one.
    pub(crate) fn decoy(&self) -> Result<Option<Secret>, Unavailable> {
        let mut begin = self.read(0, DECOY_WITHIN)?;
        // The last line may be incomplete.
        if begin.len() == DECOY_WITHIN as usize {
            let end = begin.iter().rposition(|octet| *octet == b'\n');
            begin.truncate(end.unwrap_or(0));
        }
        let file = File::parse(&String::from_utf8_lossy(&begin));
        let mut users = file.lines().filter_map(|line| line.user.ok());
        Ok(users.find_map(|user| user.password_secret().cloned()))
    }

    /// Reads the whole file, logs what is wrong with it, and counts the users.
    pub(crate) fn check(&self) -> Result<usize, Unavailable> {
        let mut users = 0;
        for line in self.whole()?.lines() {
            match line.user {
                Ok(_) => users += 1,
                Err(error) => self.warn(line.number, &error),
            }
        }
        Ok(users)
    }

    /// The number of the line about a user.
    fn number(&self, name: &str) -> Result<usize, Unavailable> {
        Ok(self.whole()?.find(name).unwrap_or_default())
    }

    fn whole(&self) -> Result<File, Unavailable> {
        let mut octets = Vec::new();
        loop {
            let offset = u32::try_from(octets.len()).unwrap_or(u32::MAX);
            let part = self.read(offset, MAX_READ)?;
            if part.is_empty() {
                return Ok(File::parse(&String::from_utf8_lossy(&octets)));
            }
            octets.extend(part);
        }
    }

    fn read(&self, offset: u32, length: u32) -> Result<Vec<u8>, Unavailable> {
        files::read(&self.file, offset, length).map_err(|error| self.unavailable(error))
    }

    fn warn(&self, number: usize, error: &LineError) {
        log::warn(format!("file {:?}, line {number}: {error}", self.file));
    }

    fn unavailable(&self, error: files::Error) -> Unavailable {
        Unavailable::File(self.file.clone(), error)
    }
}

/// A line that is not UTF-8 is malformed.
fn parse(line: &[u8]) -> Result<User, LineError> {
    let line = std::str::from_utf8(line).map_err(|_| LineError::Fields)?;
    User::parse(line.trim_end())
}

/// The identity that the user acts as, given the requested one (empty: the user itself); `None` if
/// the file does not allow it.
pub(crate) fn role(user: &User, act_as: &str) -> Option<String> {
    let wanted = act_as.to_lowercase();
    match wanted.as_str() {
        "" => Some(user.name.clone()),
        _ if wanted == user.name || matches(&user.act_as, &wanted) => Some(wanted),
        _ => None,
    }
}

/// True if one of the patterns matches the text.
fn matches(patterns: &[String], text: &str) -> bool {
    let mut patterns = patterns.iter().filter_map(|text| Pattern::new(text).ok());
    patterns.any(|pattern| pattern.matches(text))
}

/// How many octets of the file are searched for a secret.
const DECOY_WITHIN: u32 = 4_096;
/// The most octets that the host returns in one call.
const MAX_READ: u32 = 262_144;
