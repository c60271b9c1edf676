//! The interface `store`: each plugin has keys and values of its own, which live as long as the session,
//! independently of the instances that write them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The keys and values of all plugins in one session. Clones share one store.
#[derive(Clone, Debug, Default)]
pub struct SessionStores(Arc<Mutex<BTreeMap<String, KeyValues>>>);

impl SessionStores {
    /// Calls `access` with the keys and values of one plugin.
    pub(super) fn of<T>(&self, plugin: &str, access: impl FnOnce(&mut KeyValues) -> T) -> T {
        // A poisoned lock is usable: no change of a store can panic half-way.
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(values) = stores.get_mut(plugin) {
            return access(values);
        }
        access(stores.entry(plugin.to_owned()).or_default())
    }
}

/// The keys and values of one plugin in one session.
#[derive(Debug, Default)]
pub(super) struct KeyValues {
    values: BTreeMap<String, Vec<u8>>,
    /// The size of all values.
    octets: usize,
}

/// The error of a value or key that exceeds the bounds of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl KeyValues {
    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.values.get(key).cloned()
    }

    /// # Errors
    ///
    /// Fails if the value or the key exceeds the bounds of the store, which then is unchanged.
    pub(super) fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), Full> {
        let old = self.values.get(&key);
        let octets = self.octets - old.map_or(0, Vec::len) + value.len();
        let fits = octets <= MAX_OCTETS
            && key.len() <= MAX_KEY
            && (old.is_some() || self.values.len() < MAX_KEYS);
        if !fits {
            return Err(Full);
        }
        self.octets = octets;
        self.values.insert(key, value);
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.octets -= self.values.remove(key).map_or(0, |value| value.len());
    }
}

/// The greatest number of keys.
const MAX_KEYS: usize = 256;
/// The greatest length of a key in octets.
const MAX_KEY: usize = 256;
/// The greatest size of all values in octets.
const MAX_OCTETS: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_bounded() {
        let mut store = KeyValues::default();
        assert_eq!(store.set("k".into(), vec![0; MAX_OCTETS]), Ok(()));
        assert_eq!(store.set("l".into(), vec![0]), Err(Full));
        assert_eq!(store.set("k".into(), vec![0]), Ok(()));
        assert_eq!(store.set("l".into(), vec![0]), Ok(()));
        store.remove("k");
        store.remove("never there");
        assert_eq!(store.octets, 1);
        assert_eq!(store.set("k".repeat(MAX_KEY + 1), vec![]), Err(Full));
        for number in 1..MAX_KEYS {
            assert_eq!(store.set(number.to_string(), vec![]), Ok(()));
        }
        assert_eq!(store.set("one more".into(), vec![]), Err(Full));
    }

    #[test]
    fn plugins_do_not_share_values() {
        let stores = SessionStores::default();
        let set = |values: &mut KeyValues| values.set("k".into(), vec![1]);
        assert_eq!(stores.of("a", set), Ok(()));
        assert_eq!(
            stores.clone().of("a", |values| values.get("k")),
            Some(vec![1])
        );
        assert_eq!(stores.of("b", |values| values.get("k")), None);
    }
}
