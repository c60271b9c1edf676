//! The file of users, read through the host.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem;
use std::ops::ControlFlow;

use postgate_plugin::{Pattern, files, log};
use postgate_users::{
    Budget, EncodingError, LineError, ScramKeys, Secret, User, canonical_name, check_name,
    parse_line, without_mark,
};

/// The users of a file.
pub(crate) struct Directory {
    file: String,
    /// What verifying a password may take. Who has a secret that takes more cannot log in: trying it
    /// would end the call, and in time take the plugin out of service for all.
    budget: Budget,
}

/// The file cannot be used, and the operator has to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    Encoding(String, EncodingError),
    File(String, files::Error),
    Memory(String),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding(name, error) => write!(f, "file {name:?}: {error}"),
            Self::File(name, error) => write!(f, "file {name:?}: {error}"),
            Self::Memory(reason) => write!(f, "{reason}: raise limits.memory in the sidecar"),
        }
    }
}

impl Directory {
    pub(crate) fn new(file: &str, budget: Budget) -> Self {
        Self {
            file: file.into(),
            budget,
        }
    }

    /// The user with this name, in whatever spelling. A line that cannot be used is nobody's.
    pub(crate) fn find(&self, name: &str) -> Result<Option<User>, Unavailable> {
        let name = canonical_name(name);
        if check_name(&name).is_err() {
            return Ok(None);
        }
        let found = files::find_line(&self.file, &format!("{name}:"));
        let line = found.map_err(|error| self.unavailable(error))?;
        match line.and_then(|line| self.parse(&line)) {
            None => Ok(None),
            Some(Ok(user)) => Ok(Some(user)),
            // The number of the line is in the log since the file was checked. Finding it here would
            // make each attempt of a stranger read the file.
            Some(Err(error)) => {
                log::warn(format!("file {:?}, the line of {name}: {error}", self.file));
                Ok(None)
            }
        }
    }

    /// Parses a line, whose secrets must be within the budget.
    fn parse(&self, line: &[u8]) -> Option<Result<User, LineError>> {
        let user = parse_line(line)?;
        Some(user.and_then(|user| {
            user.check_cost(self.budget)?;
            Ok(user)
        }))
    }

    /// A secret of the file for somebody who is not in it, so that checking strangers takes the same
    /// work as checking users. A name always gets the same secret as long as the file stays the same,
    /// and one kind of secrets is taken as often as it is there: several attempts show no more than
    /// one. If the file has no secret, it is a new one of usual cost.
    pub(crate) fn decoy(&self, name: &str) -> Result<Secret, Unavailable> {
        let found = self.of_somebody(name, usize::MAX, |line| {
            let user = self.parse(line)?.ok()?;
            user.password_secret().cloned()
        })?;
        Ok(found.unwrap_or_else(Secret::decoy))
    }

    /// Keys of the file for somebody who has none, for the same reason. There may be none, or none near
    /// the place that the name selects.
    pub(crate) fn decoy_keys(&self, name: &str) -> Result<Option<ScramKeys>, Unavailable> {
        self.of_somebody(name, MAX_SEARCH, |line| {
            // Most lines of some files have none, and need not be parsed.
            let mut windows = line.windows(SCRAM.len());
            let is_candidate = windows.any(|window| window.eq_ignore_ascii_case(SCRAM));
            let user = is_candidate.then(|| self.parse(line))??.ok()?;
            user.scram_keys().cloned()
        })
    }

    /// What a user has whom a name selects: the first behind a place in the file who has it, or else the
    /// first of the file. Both searches end after a number of octets.
    fn of_somebody<T>(
        &self,
        name: &str,
        max_search: usize,
        pick: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Unavailable> {
        let size = files::size(&self.file).map_err(|error| self.unavailable(error))?;
        let place = hash_of(&canonical_name(name)) % u64::from(size.max(1));
        let place = u32::try_from(place).unwrap_or_default();
        match self.first_behind(place, max_search, &pick)? {
            None if place > 0 => self.first_behind(0, max_search, &pick),
            found => Ok(found),
        }
    }

    /// What is picked of the first line after an offset, which may be in the middle of a line.
    fn first_behind<T>(
        &self,
        offset: u32,
        max_search: usize,
        pick: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Unavailable> {
        let mut found = None;
        let mut is_first = offset > 0;
        let mut searched = 0;
        self.each_line(offset, FIRST_READ, |line| {
            searched += line.len() + 1;
            if !mem::take(&mut is_first) {
                found = pick(line);
            }
            match found.is_some() || searched > max_search {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok(found)
    }

    /// Reads the file, logs what is wrong with it, and counts the users. Of a very large file, only the
    /// beginning: a file that a running plugin serves must not keep it from starting again.
    pub(crate) fn check(&self) -> Result<usize, Unavailable> {
        without_mark(&self.read(0, 4)?)
            .map_err(|error| Unavailable::Encoding(self.file.clone(), error))?;
        let mut users = 0;
        let mut number = 0;
        let mut names = HashMap::new();
        let mut checked = 0;
        self.each_line(0, MAX_READ, |line| {
            number += 1;
            checked += line.len() + 1;
            if checked > MAX_CHECKED {
                let text = "the file is large: lines from here on are checked when they are used";
                log::info(format!("file {:?}, line {number}: {text}", self.file));
                return ControlFlow::Break(());
            }
            match self.parse(line) {
                None => {}
                Some(Err(error)) => self.warn(number, &error),
                Some(Ok(user)) => match names.entry(hash_of(&user.name)) {
                    Entry::Vacant(entry) => {
                        users += 1;
                        entry.insert(number);
                    }
                    Entry::Occupied(first) => {
                        let first = first.get();
                        self.warn(
                            number,
                            &format_args!("the user is in line {first} already, which counts"),
                        );
                    }
                },
            }
            ControlFlow::Continue(())
        })?;
        Ok(users)
    }

    /// Calls a function with each line after an offset, without its LF, until it breaks. Memory is
    /// needed for one piece and one line; of a longer line than a file may have, the end is a line of
    /// its own. Pieces begin with this size, and grow.
    fn each_line(
        &self,
        mut offset: u32,
        mut size: u32,
        mut use_line: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Unavailable> {
        let mut rest = Vec::new();
        loop {
            let piece = self.read(offset, size)?;
            let is_start = offset == 0;
            let is_end = piece.is_empty();
            offset = offset.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
            size = size.saturating_mul(2).min(MAX_READ);
            // Only the mark of UTF-8 is there; `check` refuses files with another one.
            let piece = match is_start {
                true => without_mark(&piece).unwrap_or(&piece),
                false => &piece,
            };
            rest.extend_from_slice(piece);
            let mut lines = rest.split(|octet| *octet == b'\n');
            // The last one may go on in the next piece.
            let last = lines.next_back().unwrap_or_default();
            let is_whole = is_end || last.len() > MAX_LINE;
            for line in lines.chain(is_whole.then_some(last)) {
                if use_line(line).is_break() {
                    return Ok(());
                }
            }
            if is_end {
                return Ok(());
            }
            rest = if is_whole { Vec::new() } else { last.to_vec() };
        }
    }

    fn read(&self, offset: u32, length: u32) -> Result<Vec<u8>, Unavailable> {
        files::read(&self.file, offset, length).map_err(|error| self.unavailable(error))
    }

    fn warn(&self, number: usize, error: &dyn fmt::Display) {
        log::warn(format!("file {:?}, line {number}: {error}", self.file));
    }

    fn unavailable(&self, error: files::Error) -> Unavailable {
        Unavailable::File(self.file.clone(), error)
    }
}

fn hash_of(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The identity that the user acts as, given the requested one (empty: the user itself); `None` if
/// the file does not allow it.
pub(crate) fn role(user: &User, act_as: &str) -> Option<String> {
    let wanted = canonical_name(act_as);
    match &*wanted {
        "" => Some(user.name.clone()),
        _ if wanted == user.name || matches(&user.act_as, &wanted) => Some(wanted.into_owned()),
        _ => None,
    }
}

/// True if one of the patterns matches the text.
fn matches(patterns: &[String], text: &str) -> bool {
    let mut patterns = patterns.iter().filter_map(|text| Pattern::new(text).ok());
    patterns.any(|pattern| pattern.matches(text))
}

/// How much is read first where one line is looked for, in octets.
const FIRST_READ: u32 = 4_096;
/// The most octets that the host returns in one call.
const MAX_READ: u32 = 262_144;
/// How the scheme of SCRAM keys begins, in any case.
const SCRAM: &[u8] = b"{SCRAM-SHA-256}";
/// How much of the file is searched for keys of somebody, in octets.
const MAX_SEARCH: usize = 262_144;
/// How much of the file is checked at the start, in octets. The default of `limits.file-size` is as much.
const MAX_CHECKED: usize = 16 << 20;
/// The longest line in octets, as for `find-line`.
const MAX_LINE: usize = 65_536;
