//! Collects mistakes with their positions.

use std::collections::BTreeSet;
use std::mem;
use std::ops::Range;
use std::path::{self, Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::error::{ConfigError, Mistake};
use super::overrides::{Override, Overrides};

/// The mistakes and the known keys of a document that is being read.
pub(super) struct Report {
    file: PathBuf,
    text: String,
    overrides: Overrides,
    mistakes: Vec<(usize, ConfigError)>,
    known: BTreeSet<String>,
}

impl Report {
    pub(super) fn new(text: &str, file: &Path, overrides: &Overrides) -> Self {
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            overrides: overrides.clone(),
            mistakes: Vec::new(),
            known: BTreeSet::new(),
        }
    }

    /// The override of the key at a path.
    pub(super) fn overriding(&self, path: &str) -> Option<Override> {
        self.overrides.of(&schema_path(path)).cloned()
    }

    /// Records a key that the document may have, by its path.
    pub(super) fn add_known_key(&mut self, path: &str) {
        self.known.insert(schema_path(path));
    }

    /// The paths of all known keys, except tables.
    #[cfg(test)]
    pub(super) fn known_keys(&self) -> BTreeSet<String> {
        let is_table = |key: &String| {
            let prefix = format!("{key}.");
            self.known.iter().any(|known| known.starts_with(&prefix))
        };
        let keys = self.known.iter().filter(|key| !is_table(key));
        keys.cloned().collect()
    }

    /// Makes a path absolute that is relative to the directory of the file.
    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        match self.file.parent() {
            Some(directory) => absolute(&directory.join(path)),
            None => absolute(path),
        }
    }

    pub(super) fn invalid(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        key: String,
        allowed: &'static str,
    ) {
        let found = shown(&self.text[value.span()]);
        self.note(Some(value.span()), key, Mistake::Invalid { found, allowed });
    }

    pub(super) fn note(&mut self, span: Option<Range<usize>>, key: String, mistake: Mistake) {
        let start = span.map(|span| span.start);
        let error = ConfigError {
            file: self.file.clone(),
            line: start.map(|start| 1 + self.text[..start].matches('\n').count()),
            key,
            mistake,
        };
        self.mistakes.push((start.unwrap_or(0), error));
    }

    /// Reports a wrong value of an environment variable or a flag.
    pub(super) fn invalid_override(
        &mut self,
        given: &Override,
        found: &str,
        allowed: &'static str,
    ) {
        let found = shown(&format!("{found:?}"));
        self.note_override(given, Mistake::Invalid { found, allowed });
    }

    /// Reports a mistake in an environment variable or a flag.
    pub(super) fn note_override(&mut self, given: &Override, mistake: Mistake) {
        let error = ConfigError {
            file: given.source.into(),
            line: None,
            key: String::new(),
            mistake,
        };
        self.mistakes.push((0, error));
    }

    pub(super) fn has_mistakes(&self) -> bool {
        !self.mistakes.is_empty()
    }

    /// The number of mistakes so far.
    pub(super) const fn count(&self) -> usize {
        self.mistakes.len()
    }

    /// The mistake of a key that is not known where it is.
    fn unknown_key(&self, key: &str) -> Mistake {
        let nearest = nearest_key(key, &self.known);
        let is_table = |name: &str| {
            let prefix = format!("{name}.");
            self.known.iter().any(|known| known.starts_with(&prefix))
        };
        match nearest {
            Some(top) if key.contains('.') && !top.contains('.') && !is_table(&top) => {
                Mistake::TopLevel(top)
            }
            nearest => Mistake::UnknownKey { nearest },
        }
    }

    /// The mistakes in the order of the document, each unknown key with the nearest known key.
    pub(super) fn finish(mut self) -> Vec<ConfigError> {
        self.mistakes.sort_by_key(|(start, _)| *start);
        let mistakes = mem::take(&mut self.mistakes);
        let mut errors: Vec<ConfigError> = mistakes.into_iter().map(|(_, e)| e).collect();
        for error in &mut errors {
            if matches!(error.mistake, Mistake::UnknownKey { .. }) {
                error.mistake = self.unknown_key(&error.key);
            }
        }
        errors
    }
}

/// Makes a path absolute that is relative to the current directory.
pub(super) fn absolute(path: &Path) -> PathBuf {
    // Fails only if there is no current directory. The path itself is the best substitute.
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A value in a message: the first line, cut at [`MAX_SHOWN`] characters.
fn shown(source: &str) -> String {
    let line = source.lines().next().unwrap_or_default();
    match line.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The known key with the most similar spelling, preferably in the same table.
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

/// The path of a key without list indices.
fn schema_path(path: &str) -> String {
    path.split('[')
        .map(|part| part.split_once(']').map_or(part, |(_, rest)| rest))
        .collect()
}

const MAX_SHOWN: usize = 60;
/// The most edits between a wrong key and a suggestion.
const MAX_DISTANCE: usize = 2;
