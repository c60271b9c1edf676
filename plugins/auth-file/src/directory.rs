//! The file of users, read through the host.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::io::BufRead as _;
use std::ops::ControlFlow;

use postgate_plugin::{Pattern, files, log};
use postgate_users::{
    Budget, EncodingError, LineError, MAX_LINE, ScramKeys, Secret, User, canonical_name,
    check_name, parse_line, without_mark,
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
        self.check_encoding()?;
        if check_name(&name).is_err() {
            return Ok(None);
        }
        match self.line_of(&name)?.and_then(|line| self.parse(&line)) {
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

    /// Checks that the file has lines, so that its users can be told from others. Usually the first
    /// octets show it.
    fn check_encoding(&self) -> Result<(), Unavailable> {
        let failed = |error| Unavailable::Encoding(self.file.clone(), error);
        let mut offset = 0;
        let mut length = FIRST_READ;
        let mut has_cr = false;
        let mut goes_on = false;
        loop {
            let piece = self.read(offset, length)?;
            if offset == 0 {
                without_mark(&piece).map_err(failed)?;
            }
            if piece.contains(&b'\n') {
                return Ok(());
            }
            // What follows a CR at the end of the file is no line.
            goes_on |= has_cr && !piece.is_empty();
            if let Some(at) = piece.iter().position(|octet| *octet == b'\r') {
                has_cr = true;
                goes_on |= at + 1 < piece.len();
            }
            length = MAX_READ;
            if piece.is_empty() {
                return match goes_on {
                    true => Err(failed(EncodingError::LineEndings)),
                    false => Ok(()),
                };
            }
            offset = offset.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        }
    }

    /// The first line with a name, which counts.
    fn line_of(&self, name: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        let found = files::find_line(&self.file, &format!("{name}:"));
        found.map_err(|error| self.unavailable(error))
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
    /// and one kind of secrets is taken as often as users have it: several attempts show no more than
    /// one. If the file has no secret, it is a new one of usual cost.
    pub(crate) fn decoy(&self, name: &str) -> Result<Secret, Unavailable> {
        let found = self.of_somebody(name, |_| true, |user| user.password_secret().cloned())?;
        Ok(found.unwrap_or_else(Secret::decoy))
    }

    /// Keys of the file for somebody who has none, for the same reason. `None` if no user has any.
    pub(crate) fn decoy_keys(&self, name: &str) -> Result<Option<ScramKeys>, Unavailable> {
        // Most lines of some files have none, and need not be parsed.
        self.of_somebody(name, has_scram, |user| user.scram_keys().cloned())
    }

    /// What a user has whom a name selects: among the users who have it, the one whose name ranks first
    /// together with that name. Where the line of a user stands, and what else the file holds, changes
    /// nothing. Lines that are no candidates are left out without parsing them.
    fn of_somebody<T>(
        &self,
        name: &str,
        is_candidate: impl Fn(&[u8]) -> bool,
        pick: impl Fn(&User) -> Option<T>,
    ) -> Result<Option<T>, Unavailable> {
        let name = canonical_name(name);
        let mut best: Option<(u64, T)> = None;
        // Names whose first line, which counts, has nothing to pick.
        let mut without = HashSet::new();
        let mut failure = None;
        self.each_line(|line| {
            let Some(rank) = name_in(line).map(|user| hash_of(&(&*name, user))) else {
                return ControlFlow::Continue(());
            };
            if best.as_ref().is_some_and(|(lowest, _)| *lowest <= rank)
                || !is_candidate(line)
                || without.contains(&rank)
            {
                return ControlFlow::Continue(());
            }
            let Some(Ok(user)) = self.parse(line) else {
                return ControlFlow::Continue(());
            };
            // Only the first line of a user counts. Few lines get here: of n users, about ln(n).
            match self.line_of(&user.name) {
                Ok(first) => match first.and_then(|line| pick(&self.parse(&line)?.ok()?)) {
                    Some(picked) => best = Some((rank, picked)),
                    None => _ = without.insert(rank),
                },
                Err(unavailable) => {
                    failure = Some(unavailable);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        match failure {
            Some(unavailable) => Err(unavailable),
            None => Ok(best.map(|(_, picked)| picked)),
        }
    }

    /// Reads the file, logs what is wrong with it, and counts the users. Of a very large file, only the
    /// beginning: a file that a running plugin serves must not keep it from starting again.
    pub(crate) fn check(&self) -> Result<usize, Unavailable> {
        self.check_encoding()?;
        let mut found = Found::default();
        let mut number = 0;
        let mut checked = 0;
        self.each_line(|line| {
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
                Some(Ok(user)) => {
                    if let Some(warning) = found.add(number, &user) {
                        self.warn(number, &warning);
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        if let Some((work, number)) = found.costliest {
            let milliseconds = work * 2 * UNIT_MILLISECONDS / 100;
            log::info(format!(
                "file {:?}, line {number}: no secret takes longer; a login needs up to {milliseconds} ms of \
                 limits.cpu",
                self.file
            ));
        }
        Ok(found.names.len())
    }

    /// Calls a function with each line, without its LF, until it breaks. Memory is needed for one piece
    /// and one line. A longer line than a file may have is cut, and remains longer than that.
    fn each_line(
        &self,
        mut use_line: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Unavailable> {
        let mut offset = 0;
        // The beginning of a line that goes on in the next piece.
        let mut rest = Vec::new();
        loop {
            let piece = self.read(offset, MAX_READ)?;
            if piece.is_empty() {
                if !rest.is_empty() {
                    _ = use_line(&rest);
                }
                return Ok(());
            }
            // Only the mark of UTF-8 is there; other encodings are refused before.
            let mut octets = match offset {
                0 => without_mark(&piece).unwrap_or(&piece),
                _ => &piece,
            };
            offset = offset.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
            while let Some((line, after)) = split_line(octets) {
                octets = after;
                let flow = match rest.is_empty() {
                    true => use_line(line),
                    false => {
                        append_cut(&mut rest, line);
                        let flow = use_line(&rest);
                        rest.clear();
                        flow
                    }
                };
                if flow.is_break() {
                    return Ok(());
                }
            }
            append_cut(&mut rest, octets);
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

/// What was found in a file so far.
#[derive(Default)]
struct Found {
    /// The lines of users, by a hash of the name.
    names: HashMap<u64, usize>,
    /// The time of the secret that takes longest, in hundredths of a new one, and its line.
    costliest: Option<(u64, usize)>,
    /// The most memory that was there when it was needed, in KiB.
    memory: u32,
}

impl Found {
    /// Adds the user of a line. Returns what is wrong with it.
    fn add(&mut self, number: usize, user: &User) -> Option<String> {
        match self.names.entry(hash_of(&user.name)) {
            Entry::Vacant(entry) => _ = entry.insert(number),
            Entry::Occupied(first) => {
                let first = first.get();
                return Some(format!("the user is in line {first} already, which counts"));
            }
        }
        let secret = user.password_secret()?;
        let work = secret.work();
        if self.costliest.is_none_or(|(most, _)| work > most) {
            self.costliest = Some((work, number));
        }
        let memory = secret.memory();
        if memory > self.memory && !is_there(memory) {
            return Some(format!(
                "a hash needs {memory} KiB, more memory than limits.memory of the sidecar leaves: logins as \
                 this user, and some of unknown users, get 454; raise it"
            ));
        }
        self.memory = self.memory.max(memory);
        None
    }
}

/// True if this much memory can be had, in KiB.
fn is_there(memory: u32) -> bool {
    let octets = usize::try_from(memory)
        .ok()
        .and_then(|kib| kib.checked_mul(1_024));
    let mut block = Vec::<u8>::new();
    octets.is_some_and(|octets| block.try_reserve_exact(octets).is_ok())
}

/// The line at the beginning, without its LF, and what follows it; `None` if the line has no end.
fn split_line(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut after = octets;
    // The search of the standard library looks at more than one octet at a time. Slices have no errors.
    let length = after.skip_until(b'\n').unwrap_or_default();
    let line = octets[..length].strip_suffix(b"\n")?;
    Some((line, after))
}

/// Appends the next part of a line, but no more than shows that the line is too long.
fn append_cut(line: &mut Vec<u8>, part: &[u8]) {
    // One more for the CR, which is no part of the line.
    let room = (MAX_LINE + 2).saturating_sub(line.len());
    line.extend_from_slice(&part[..part.len().min(room)]);
}

/// What stands where a line of a user has its name.
fn name_in(line: &[u8]) -> Option<&[u8]> {
    let end = line.iter().position(|octet| *octet == b':')?;
    (line.first() != Some(&b'#')).then_some(&line[..end])
}

/// False if a line has no SCRAM keys for sure.
fn has_scram(line: &[u8]) -> bool {
    let mut schemes = line.split(|octet| *octet == b'{');
    schemes.any(|text| {
        let scheme = text.get(..SCRAM.len());
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCRAM))
    })
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
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

/// The most octets that the host returns in one call.
const MAX_READ: u32 = 262_144;
/// The scheme of SCRAM keys after its brace, in any case.
const SCRAM: &[u8] = b"SCRAM-SHA-256}";
/// The time that a new secret of `postgate user` takes, as the README says.
const UNIT_MILLISECONDS: u64 = 30;
/// How much of the file is checked at the start, in octets. The default of `limits.file-size` is as much.
const MAX_CHECKED: usize = 16 << 20;
/// How much is read first to see how lines end, in octets.
const FIRST_READ: u32 = 4_096;
