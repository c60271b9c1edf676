//! A TOML document, read key by key so that one pass finds every mistake.
//!
//! The code that reads a table asks a [`Section`] for each key. After a wrong value, reading goes
//! on; keys that were never asked for are unknown. A [`Section`] also applies the overrides by
//! environment variables and flags.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Mistake};
use super::overrides::{Override, Overrides};
use super::report::{self, Report};
use super::value::{Setting, Timeout};

/// Reads a document. `read` returns `None` only after it reported a mistake.
pub(super) fn read<T>(
    text: &str,
    file: &Path,
    overrides: &Overrides,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Result<T, Vec<ConfigError>> {
    let mut report = Report::new(text, file, overrides);
    let value = read_root(text, &mut report, read);
    match value {
        Some(value) if !report.has_mistakes() => Ok(value),
        _ => Err(report.finish()),
    }
}

/// The paths of all keys that `read` asks for, except tables.
#[cfg(test)]
pub(super) fn known_keys<T>(
    text: &str,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> BTreeSet<String> {
    let mut report = Report::new(text, Path::new(""), &Overrides::default());
    read_root(text, &mut report, read);
    report.known_keys()
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
        is_partial: false,
        report,
    };
    let value = read(&mut section);
    section.report_unknown_keys();
    value
}

/// A table of the document. An absent table reads like an empty one.
pub(super) struct Section<'a> {
    table: Option<&'a DeTable<'a>>,
    span: Option<Range<usize>>,
    path: String,
    asked: BTreeSet<&'static str>,
    /// True if only some of the keys are read, so that others are not unknown.
    is_partial: bool,
    report: &'a mut Report,
}

impl<'a> Section<'a> {
    /// The value of a key. Returns `None` if it is absent or wrong.
    pub(super) fn value<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        match self.overriding(key) {
            Some(given) => self.setting_of(&given, given.value.trim()),
            None => self.value_in_file(key),
        }
    }

    /// The value of a key in the document, without overrides.
    pub(super) fn value_in_file<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        let value = self.entry(key)?;
        self.setting(value, self.path_of(key))
    }

    /// The value of a key whose mistakes have been reported already.
    pub(super) fn value_quietly<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        match self.overriding(key) {
            Some(given) => T::read(&DeValue::String(given.value.trim().into())),
            None => T::read(self.entry(key)?.get_ref()),
        }
    }

    /// The value of a key, or `default` if it is absent or wrong.
    pub(super) fn value_or<T: Setting>(&mut self, key: &'static str, default: T) -> T {
        self.value(key).unwrap_or(default)
    }

    /// A time limit above 0.
    pub(super) fn timeout(&mut self, key: &'static str, default: Duration) -> Duration {
        self.value_or(key, Timeout(default)).0
    }

    /// A number above 0.
    pub(super) fn above_zero(&mut self, key: &'static str) -> Option<u32> {
        self.value(key).map(NonZeroU32::get)
    }

    /// The value of a key that must not be absent.
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

    /// A path, made absolute.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let path: PathBuf = self.value(key)?;
        Some(self.resolve(key, &path))
    }

    /// The items of a list. Returns `None` if the key is absent.
    pub(super) fn list<T: Setting>(&mut self, key: &'static str) -> Option<Vec<T>> {
        if let Some(given) = self.overriding(key) {
            let items = given.value.split(',');
            return Some(
                items
                    .filter_map(|item| self.setting_of(&given, item.trim()))
                    .collect(),
            );
        }
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

    /// The items of a list. An empty one is a mistake, which the text explains.
    pub(super) fn non_empty_list<T: Setting>(
        &mut self,
        key: &'static str,
        text: &str,
    ) -> Option<Vec<T>> {
        let before = self.report.count();
        let list: Vec<T> = self.list(key)?;
        // A list whose items are wrong is not empty.
        if list.is_empty() && self.report.count() == before {
            self.conflict(key, text.to_owned());
        }
        Some(list)
    }

    /// A table with arbitrary keys, for example the configuration of a plugin. Returns `None` if it
    /// is absent.
    pub(super) fn free_table(&mut self, key: &'static str) -> Option<&'a DeTable<'a>> {
        let value = self.entry(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            let path = self.path_of(key);
            self.report.invalid(value, path, "a table");
            return None;
        };
        Some(table)
    }

    /// A table of names and paths. The paths are made absolute.
    pub(super) fn paths(&mut self, key: &'static str) -> BTreeMap<String, PathBuf> {
        let table = self.free_table(key);
        let mut paths = BTreeMap::new();
        for (name, value) in table.into_iter().flatten() {
            let name = name.get_ref().as_ref();
            let path: Option<PathBuf> = self.setting(value, format!("{key}.{name}"));
            paths.extend(path.map(|path| (name.to_owned(), self.report.absolute(&path))));
        }
        paths
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

    /// Reads a table as if it were absent.
    pub(super) fn absent_table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let path = self.path_of(key);
        self.descend(None, path, read)
    }

    /// Reads each table of a list, written with double brackets.
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

    /// True if a key has a value, in the document or by an override.
    pub(super) fn has(&mut self, key: &'static str) -> bool {
        self.entry(key).is_some() || self.is_overridden(key)
    }

    /// True if an environment variable or a flag sets the key.
    pub(super) fn is_overridden(&self, key: &str) -> bool {
        self.report.overriding(&self.path_of(key)).is_some()
    }

    /// Reports a value that conflicts with another one.
    pub(super) fn conflict(&mut self, key: &'static str, text: String) {
        if let Some(given) = self.overriding(key) {
            self.report.note_override(&given, Mistake::Conflict(text));
            return;
        }
        let span = self
            .entry(key)
            .map_or_else(|| self.span.clone(), |value| Some(value.span()));
        let path = self.path_of(key);
        self.report.note(span, path, Mistake::Conflict(text));
    }

    /// Reports an absent key.
    pub(super) fn missing(&mut self, key: &'static str, remedy: &'static str) {
        let path = self.path_of(key);
        self.report
            .note(self.span.clone(), path, Mistake::Missing(remedy));
    }

    /// Makes the path at a key absolute. It is relative to the directory of the file, or to the
    /// current directory if it is an override.
    pub(super) fn resolve(&self, key: &str, path: &Path) -> PathBuf {
        match self.is_overridden(key) {
            true => report::absolute(path),
            false => self.report.absolute(path),
        }
    }

    fn entry(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        if self.asked.insert(key) {
            let path = self.path_of(key);
            self.report.add_known_key(&path);
        }
        self.table?.get(key)
    }

    /// The override of a key, which becomes a known key.
    fn overriding(&mut self, key: &'static str) -> Option<Override> {
        self.entry(key);
        self.report.overriding(&self.path_of(key))
    }

    fn setting_of<T: Setting>(&mut self, given: &Override, text: &str) -> Option<T> {
        let setting = T::read(&DeValue::String(text.into()));
        if setting.is_none() {
            self.report.invalid_override(given, text, T::ALLOWED);
        }
        setting
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
            is_partial: false,
            report: self.report,
        };
        let result = read(&mut section);
        section.report_unknown_keys();
        result
    }

    /// Turns off the check for unknown keys.
    pub(super) const fn ignore_unknown_keys(&mut self) {
        self.is_partial = true;
    }

    fn report_unknown_keys(&mut self) {
        if self.is_partial {
            return;
        }
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
