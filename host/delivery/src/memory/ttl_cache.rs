//! A cache that is bounded in number and in time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Keeps at most [`CAPACITY`] values, each for the same time, and drops the oldest first.
#[derive(Debug)]
pub(super) struct TtlCache<V> {
    lifetime: Duration,
    entries: Mutex<Entries<V>>,
}

impl<V: Clone> TtlCache<V> {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            entries: Mutex::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let mut entries = self.entries();
        entries.remove_expired(Instant::now(), self.lifetime);
        entries.by_key.is_empty()
    }

    pub(super) fn get(&self, key: &CacheKey) -> Option<V> {
        self.get_at(key, Instant::now())
    }

    /// Adds or replaces a value, whose lifetime begins now.
    pub(super) fn add(&self, key: CacheKey, value: V) {
        self.add_at(key, value, Instant::now());
    }

    /// Removes and returns a value.
    pub(super) fn take(&self, key: &CacheKey) -> Option<V> {
        self.take_at(key, Instant::now())
    }

    fn get_at(&self, key: &CacheKey, now: Instant) -> Option<V> {
        let mut entries = self.entries();
        entries.remove_expired(now, self.lifetime);
        let entry = entries.by_key.get(key)?;
        Some(entry.value.clone())
    }

    fn take_at(&self, key: &CacheKey, now: Instant) -> Option<V> {
        let mut entries = self.entries();
        entries.remove_expired(now, self.lifetime);
        let entry = entries.by_key.remove(key)?;
        Some(entry.value)
    }

    fn add_at(&self, key: CacheKey, value: V, now: Instant) {
        let mut entries = self.entries();
        entries.remove_expired(now, self.lifetime);
        entries.add(key, value, now);
    }

    /// The entries are consistent even if a holder of the lock has panicked.
    fn entries(&self) -> MutexGuard<'_, Entries<V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hash that a value is found by.
pub(super) type CacheKey = [u8; 32];

#[derive(Debug)]
struct Entries<V> {
    by_key: HashMap<CacheKey, Entry<V>>,
    /// All insertions, oldest first. Only the last one of each key counts.
    insertions: VecDeque<Insertion>,
    last_number: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    /// The number of the insertion that brought the value.
    number: u64,
}

#[derive(Debug)]
struct Insertion {
    at: Instant,
    number: u64,
    key: CacheKey,
}

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            insertions: VecDeque::new(),
            last_number: 0,
        }
    }
}

impl<V> Entries<V> {
    fn add(&mut self, key: CacheKey, value: V, now: Instant) {
        self.last_number += 1;
        let number = self.last_number;
        self.by_key.insert(key, Entry { value, number });
        self.insertions.push_back(Insertion {
            at: now,
            number,
            key,
        });
        while self.by_key.len() > CAPACITY {
            self.remove_oldest();
        }
        // A key that is added again leaves its older insertions behind.
        if self.insertions.len() > 2 * CAPACITY {
            let by_key = &self.by_key;
            self.insertions
                .retain(|insertion| insertion.is_last(by_key));
        }
    }

    fn remove_expired(&mut self, now: Instant, lifetime: Duration) {
        while let Some(oldest) = self.insertions.front()
            && now.duration_since(oldest.at) >= lifetime
        {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        if let Some(oldest) = self.insertions.pop_front()
            && oldest.is_last(&self.by_key)
        {
            self.by_key.remove(&oldest.key);
        }
    }
}

impl Insertion {
    /// True if the key was not added again or taken since.
    fn is_last<V>(&self, by_key: &HashMap<CacheKey, Entry<V>>) -> bool {
        let entry = by_key.get(&self.key);
        entry.is_some_and(|entry| entry.number == self.number)
    }
}

/// The most values that are kept.
const CAPACITY: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: usize) -> CacheKey {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(index as u64).to_be_bytes());
        key
    }

    #[test]
    fn memory_is_bounded_in_number_and_time() {
        let lifetime = Duration::from_secs(60);
        let cache = TtlCache::new(lifetime);
        let start = Instant::now();
        for index in 0..=CAPACITY {
            cache.add_at(key(index), index, start);
        }
        cache.add_at(key(CAPACITY), 7, start);
        assert_eq!(cache.entries().by_key.len(), CAPACITY);
        assert_eq!(cache.get_at(&key(0), start), None);
        assert_eq!(cache.get_at(&key(1), start), Some(1));
        assert_eq!(cache.get_at(&key(CAPACITY), start), Some(7));
        let later = start + lifetime;
        cache.add_at(key(0), 0, later);
        assert_eq!(cache.get_at(&key(1), later), None);
        assert_eq!(cache.get_at(&key(0), later), Some(0));
        assert!(!cache.is_empty());
    }

    #[test]
    fn what_comes_again_begins_anew() {
        let lifetime = Duration::from_secs(60);
        let cache = TtlCache::new(lifetime);
        let start = Instant::now();
        cache.add_at(key(0), 0, start);
        for second in 1..=u64::try_from(3 * CAPACITY).unwrap() {
            cache.add_at(key(0), second, start + Duration::from_millis(second));
        }
        assert!(cache.entries().insertions.len() <= 2 * CAPACITY);
        let later = start + lifetime + Duration::from_millis(1);
        assert_eq!(cache.get_at(&key(0), later), Some(30_000));
        assert_eq!(cache.take_at(&key(0), later), Some(30_000));
        assert_eq!(cache.take_at(&key(0), later), None);
        assert!(cache.entries().by_key.is_empty());
        // The old insertion of a key that was taken does not remove the new one.
        cache.add_at(key(0), 1, later);
        assert_eq!(cache.get_at(&key(0), start + lifetime * 3 / 2), Some(1));
    }
}
