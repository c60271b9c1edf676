//! Settings from outside the file: environment variables and flags.

use std::collections::BTreeMap;

/// Values that hold in place of those in the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides(BTreeMap<&'static str, Override>);

impl Overrides {
    /// Sets a key, named by its path without indices, for example `listener.address`. The source is
    /// the environment variable or the flag, by which mistakes in the value are told. The items of a
    /// list are separated by commas.
    pub fn set(&mut self, key: &'static str, source: &'static str, value: &str) {
        let value = value.to_owned();
        self.0.insert(key, Override { source, value });
    }

    pub(super) fn of(&self, key: &str) -> Option<&Override> {
        self.0.get(key)
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Override {
    pub(super) source: &'static str,
    pub(super) value: String,
}
