//! A TOML text as it is written, read key by key so that every mistake is found in one pass.
//!
//! The code that reads a table asks a [`Section`] for each key. A wrong value is noted and reading
//! goes on; what was never asked for is an unknown key.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{self, Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Mistake};
use super::value::Setting;

/// Reads a whole text. The function gives nothing only where it noted a mistake.
pub(super) fn read<T>(
    text: &str,
    file: &Path,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Result<T, Vec<ConfigError>> {
    let mut report = Report::new(text, file);
    let value = read_root(text, &mut report, read);
    match value {
        Some(value) if report.mistakes.is_empty() => Ok(value),
        _ => Err(report.finish()),
    }
}

/// The paths of all keys that the function asks for, without those of tables.
#[cfg(test)]
pub(super) fn known_keys<T>(
    text: &str,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> BTreeSet<String> {
    let mut report = Report::new(text, Path::new(""));
    read_root(text, &mut report, read);
    let is_table = |key: &String| {
        report
            .known
            .iter()
            .any(|k| k.starts_with(&format!("{key}.")))
    };
    report
        .known
        .iter()
        .filter(|key| !is_table(key))
        .cloned()
        .collect()
}

fn read_root<T>(
    text: &str,
    report: &mut Report,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Option<T> {
    let (root, faults) = DeTable::parse_recoverable(text);
    for fault in &faults {
        let mistake = Mistake::Syntax(fault.message().to_owned());
        report.note(fault.span(), String::new(), mistake);
    }
    if !faults.is_empty() {
        return None;
    }
    let mut section = Section {
        table: Some(root.get_ref()),
        span: None,
        path: String::new(),
        asked: BTreeSet::new(),
        report,
    };
    let value = read(&mut section);
    section.note_unknown_keys();
    value
}

/// A table of the text, or the lack of it, which reads like an empty one.
pub(super) struct Section<'a> {
    table: Option<&'a DeTable<'a>>,
    span: Option<Range<usize>>,
    path: String,
    asked: BTreeSet<&'static str>,
    report: &'a mut Report,
}

impl<'a> Section<'a> {
    /// The value of a key; nothing where it is absent or was noted as a mistake.
    pub(super) fn value<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        let value = self.entry(key)?;
        self.setting(value, self.path_of(key))
    }

    /// The value of a key, or what holds without it.
    pub(super) fn or<T: Setting>(&mut self, key: &'static str, default: T) -> T {
        self.value(key).unwrap_or(default)
    }

    /// The value of a key that must be there.
    pub(super) fn required<T: Setting>(
        &mut self,
        key: &'static str,
        remedy: &'static str,
    ) -> Option<T> {
        if !self.has(key) {
            self.missing(key, remedy);
        }
        self.value(key)
    }

    /// A path, made absolute from the directory of the file.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let path: PathBuf = self.value(key)?;
        Some(self.resolve(&path))
    }

    /// The items of a list; nothing where the key is absent.
    pub(super) fn list<T: Setting>(&mut self, key: &'static str) -> Option<Vec<T>> {
        let value = self.entry(key)?;
        let path = self.path_of(key);
        let DeValue::Array(items) = value.get_ref() else {
            self.report.invalid(value, path, "a list");
            return None;
        };
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            list.extend(self.setting(item, format!("{path}[{index}]")));
        }
        Some(list)
    }

    /// A table that only its reader understands, for example a plugin; nothing where it is absent.
    pub(super) fn free_table(&mut self, key: &'static str) -> Option<&'a DeTable<'a>> {
        let value = self.entry(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            let path = self.path_of(key);
            self.report.invalid(value, path, "a table");
            return None;
        };
        Some(table)
    }

    /// Reads a table, which may be absent.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let value = self.entry(key);
        let path = self.path_of(key);
        self.descend(value, path, read)
    }

    /// Reads each table of a list whose headings are written with double brackets.
    pub(super) fn each_table(&mut self, key: &'static str, mut read: impl FnMut(&mut Section<'_>)) {
        let Some(value) = self.entry(key) else {
            return;
        };
        let path = self.path_of(key);
        let DeValue::Array(items) = value.get_ref() else {
            self.report
                .invalid(value, path, "a list of tables, headed by double brackets");
            return;
        };
        for (index, item) in items.iter().enumerate() {
            self.descend(Some(item), format!("{path}[{index}]"), &mut read);
        }
    }

    /// Whether a key is written.
    pub(super) fn has(&mut self, key: &'static str) -> bool {
        self.entry(key).is_some()
    }

    /// Notes that a value does not go with another one.
    pub(super) fn conflict(&mut self, key: &'static str, text: String) {
        let span = self
            .entry(key)
            .map_or_else(|| self.span.clone(), |value| Some(value.span()));
        let path = self.path_of(key);
        self.report.note(span, path, Mistake::Conflict(text));
    }

    /// Notes that a key is not there.
    pub(super) fn missing(&mut self, key: &'static str, remedy: &'static str) {
        let path = self.path_of(key);
        self.report
            .note(self.span.clone(), path, Mistake::Missing(remedy));
    }

    /// An absolute path, from one that begins at the directory of the file.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        let path = match self.report.file.parent() {
            Some(directory) => directory.join(path),
            None => path.to_owned(),
        };
        // Without a current directory, which is the one reason to fail, nothing better is known.
        path::absolute(&path).unwrap_or(path)
    }

    fn entry(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        if self.asked.insert(key) {
            let path = schema_path(&self.path_of(key));
            self.report.known.insert(path);
        }
        self.table?.get(key)
    }

    fn setting<T: Setting>(&mut self, value: &Spanned<DeValue<'_>>, path: String) -> Option<T> {
        let setting = T::read(value.get_ref());
        if setting.is_none() {
            self.report.invalid(value, path, T::ALLOWED);
        }
        setting
    }

    fn descend<T>(
        &mut self,
        value: Option<&Spanned<DeValue<'_>>>,
        path: String,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let table = value.and_then(|value| value.get_ref().as_table());
        if let (Some(value), None) = (value, table) {
            self.report.invalid(value, path.clone(), "a table");
        }
        let mut section = Section {
            table,
            span: value.map(Spanned::span),
            path,
            asked: BTreeSet::new(),
            report: self.report,
        };
        let result = read(&mut section);
        section.note_unknown_keys();
        result
    }

    fn note_unknown_keys(&mut self) {
        for (key, _) in self.table.into_iter().flatten() {
            if !self.asked.contains(key.get_ref().as_ref()) {
                let path = self.path_of(key.get_ref());
                let mistake = Mistake::UnknownKey { nearest: None };
                self.report.note(Some(key.span()), path, mistake);
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.path),
        }
    }
}

/// The mistakes found so far, and what is needed to tell where they are.
struct Report {
    file: PathBuf,
    text: String,
    mistakes: Vec<(usize, ConfigError)>,
    known: BTreeSet<String>,
}

impl Report {
    fn new(text: &str, file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            mistakes: Vec::new(),
            known: BTreeSet::new(),
        }
    }

    fn invalid(&mut self, value: &Spanned<DeValue<'_>>, key: String, allowed: &'static str) {
        let found = shown(&self.text[value.span()]);
        self.note(Some(value.span()), key, Mistake::Invalid { found, allowed });
    }

    fn note(&mut self, span: Option<Range<usize>>, key: String, mistake: Mistake) {
        let start = span.map(|span| span.start);
        let error = ConfigError {
            file: self.file.clone(),
            line: start.map(|start| 1 + self.text[..start].matches('\n').count()),
            key,
            mistake,
        };
        self.mistakes.push((start.unwrap_or(0), error));
    }

    /// The mistakes in the order of the text, each unknown key with the one that may be meant.
    fn finish(mut self) -> Vec<ConfigError> {
        self.mistakes.sort_by_key(|(start, _)| *start);
        let mut errors: Vec<ConfigError> = self.mistakes.into_iter().map(|(_, e)| e).collect();
        for error in &mut errors {
            if let Mistake::UnknownKey { nearest } = &mut error.mistake {
                *nearest = nearest_key(&error.key, &self.known);
            }
        }
        errors
    }
}

/// A value as a message shows it: its first line, and not all of a long one.
fn shown(source: &str) -> String {
    let line = source.lines().next().unwrap_or_default();
    match line.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The known key that is spelt nearly like this one, rather in the same table than in another.
fn nearest_key(path: &str, known: &BTreeSet<String>) -> Option<String> {
    let path = schema_path(path);
    let (table, key) = split_key(&path);
    let (_, nearest) = known
        .iter()
        .filter_map(|candidate| {
            let (candidate_table, candidate_key) = split_key(candidate);
            let distance = strsim::damerau_levenshtein(key, candidate_key);
            let near = distance <= MAX_DISTANCE && distance * 2 < key.len();
            near.then_some(((distance, table != candidate_table), candidate))
        })
        .min()?;
    Some(nearest.clone())
}

fn split_key(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// The path of a key without the indices of lists.
fn schema_path(path: &str) -> String {
    path.split('[')
        .map(|part| part.split_once(']').map_or(part, |(_, rest)| rest))
        .collect()
}

const MAX_SHOWN: usize = 60;
const MAX_DISTANCE: usize = 2;
