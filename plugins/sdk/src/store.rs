//! Key and value pairs of this plugin that live as long as the session. The operator must grant
//! `store`.
//!
//! The plugin lives as long as the session too: a field of its own type is the simpler place, and
//! needs no grant. This one is also kept where the operator has the plugin's instance made anew
//! for each message.

use std::fmt;

use crate::bindings::imports::postgate::plugin::store::StoreError;
use crate::host;

/// The value of a key.
pub fn get(key: &str) -> Option<Vec<u8>> {
    host::store::get(key)
}

/// Sets the value of a key. At most 256 keys of at most 256 octets, and 64 KiB of values in all.
pub fn set(key: &str, value: &[u8]) -> Result<(), Full> {
    host::store::set(key, value).map_err(|StoreError::Full| Full)
}

/// Forgets a key.
pub fn remove(key: &str) {
    host::store::remove(key);
}

/// The store would exceed a bound; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session's store is full")
    }
}

impl std::error::Error for Full {}
