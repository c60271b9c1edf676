//! Keys and values of this plugin that live as long as the session. The operator must grant
//! `store`.
//!
//! By default, the plugin lives as long as the session, too: a field of its own type is simpler and
//! needs no grant. Values here are also kept if the operator chose a fresh instance for each
//! message (`isolation`).

use std::fmt;

use crate::bindings::imports::postgate::plugin::store::StoreError;
use crate::host;

/// The value of a key.
pub fn get(key: &str) -> Option<Vec<u8>> {
    host::store::get(key)
}

/// Sets the value of a key. At most 256 keys of at most 256 octets, and 64 KiB of values in total.
pub fn set(key: &str, value: &[u8]) -> Result<(), Full> {
    host::store::set(key, value).map_err(|StoreError::Full| Full)
}

/// Removes a key.
pub fn remove(key: &str) {
    host::store::remove(key);
}

/// The store would exceed a limit; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session's store is full")
    }
}

impl std::error::Error for Full {}
