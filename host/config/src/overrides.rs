//! Settings by environment variables and flags.

use std::collections::BTreeMap;

/// Values that replace those in the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides(BTreeMap<&'static str, Override>);

impl Overrides {
    /// Sets a key by its path without indices, for example `listener.address`. `source` is the name
    /// of the environment variable or flag, for error messages. Commas separate the items of a
    /// list.
    pub fn set(&mut self, key: &'static str, source: &'static str, value: &str) {
        let value = value.to_owned();
        self.0.insert(key, Override { source, value });
    }

    pub(super) fn of(&self, key: &str) -> Option<&Override> {
        self.0.get(key)
    }
}

/// A value and its source.
#[derive(Clone, Debug)]
pub(super) struct Override {
    pub(super) source: &'static str,
    pub(super) value: String,
}
