//! A memory that is bounded in number and in time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A hash of what something is remembered by.
pub(crate) type Key = [u8; 32];

/// Keeps at most [`CAPACITY`] values, each for a time, and forgets the oldest first.
#[derive(Debug)]
pub(crate) struct TtlCache<V> {
    lifetime: Duration,
    memory: Mutex<Memory<V>>,
}

/// The most values that are kept.
const CAPACITY: usize = 10_000;

impl<V: Clone> TtlCache<V> {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            memory: Mutex::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let mut memory = self.memory();
        memory.forget_old(Instant::now(), self.lifetime);
        memory.by_key.is_empty()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<V> {
        self.get_at(key, Instant::now())
    }

    /// Keeps a value, for a whole lifetime from now on.
    pub(crate) fn add(&self, key: Key, value: V) {
        self.add_at(key, value, Instant::now());
    }

    /// Gives a value, and forgets it.
    pub(crate) fn take(&self, key: &Key) -> Option<V> {
        self.take_at(key, Instant::now())
    }

    fn get_at(&self, key: &Key, now: Instant) -> Option<V> {
        let mut memory = self.memory();
        memory.forget_old(now, self.lifetime);
        let kept = memory.by_key.get(key)?;
        Some(kept.value.clone())
    }

    fn take_at(&self, key: &Key, now: Instant) -> Option<V> {
        let mut memory = self.memory();
        memory.forget_old(now, self.lifetime);
        let kept = memory.by_key.remove(key)?;
        Some(kept.value)
    }

    fn add_at(&self, key: Key, value: V, now: Instant) {
        let mut memory = self.memory();
        memory.forget_old(now, self.lifetime);
        memory.add(key, value, now);
    }

    /// Nothing is left half done where a holder of the lock panics.
    fn memory(&self) -> MutexGuard<'_, Memory<V>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Memory<V> {
    by_key: HashMap<Key, Kept<V>>,
    /// Each addition, of which only the last one of a key counts.
    by_age: VecDeque<(Instant, u64, Key)>,
    additions: u64,
}

#[derive(Debug)]
struct Kept<V> {
    value: V,
    addition: u64,
}

impl<V> Default for Memory<V> {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            by_age: VecDeque::new(),
            additions: 0,
        }
    }
}

impl<V> Memory<V> {
    fn add(&mut self, key: Key, value: V, now: Instant) {
        self.additions += 1;
        let addition = self.additions;
        self.by_key.insert(key, Kept { value, addition });
        self.by_age.push_back((now, addition, key));
        while self.by_key.len() > CAPACITY {
            self.forget_oldest();
        }
        // Keys that come again and again leave additions behind that do not count any more.
        if self.by_age.len() > 2 * CAPACITY {
            let by_key = &self.by_key;
            self.by_age
                .retain(|(_, addition, key)| is_last(by_key, *addition, key));
        }
    }

    fn forget_old(&mut self, now: Instant, lifetime: Duration) {
        while let Some((since, ..)) = self.by_age.front()
            && now.duration_since(*since) >= lifetime
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, addition, key)) = self.by_age.pop_front()
            && is_last(&self.by_key, addition, &key)
        {
            self.by_key.remove(&key);
        }
    }
}

fn is_last<V>(by_key: &HashMap<Key, Kept<V>>, addition: u64, key: &Key) -> bool {
    let kept = by_key.get(key);
    kept.is_some_and(|kept| kept.addition == addition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: usize) -> Key {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(index as u64).to_be_bytes());
        key
    }

    #[test]
    fn memory_is_bounded_in_number_and_time() {
        let lifetime = Duration::from_secs(60);
        let ttl_cache = TtlCache::new(lifetime);
        let start = Instant::now();
        for index in 0..=CAPACITY {
            ttl_cache.add_at(key(index), index, start);
        }
        ttl_cache.add_at(key(CAPACITY), 7, start);
        assert_eq!(ttl_cache.memory().by_key.len(), CAPACITY);
        assert_eq!(ttl_cache.get_at(&key(0), start), None);
        assert_eq!(ttl_cache.get_at(&key(1), start), Some(1));
        assert_eq!(ttl_cache.get_at(&key(CAPACITY), start), Some(7));
        let later = start + lifetime;
        ttl_cache.add_at(key(0), 0, later);
        assert_eq!(ttl_cache.get_at(&key(1), later), None);
        assert_eq!(ttl_cache.get_at(&key(0), later), Some(0));
        assert!(!ttl_cache.is_empty());
    }

    #[test]
    fn what_comes_again_begins_anew() {
        let lifetime = Duration::from_secs(60);
        let ttl_cache = TtlCache::new(lifetime);
        let start = Instant::now();
        ttl_cache.add_at(key(0), 0, start);
        for second in 1..=u64::try_from(3 * CAPACITY).unwrap() {
            ttl_cache.add_at(key(0), second, start + Duration::from_millis(second));
        }
        assert!(ttl_cache.memory().by_age.len() <= 2 * CAPACITY);
        let later = start + lifetime + Duration::from_millis(1);
        assert_eq!(ttl_cache.get_at(&key(0), later), Some(30_000));
        assert_eq!(ttl_cache.take_at(&key(0), later), Some(30_000));
        assert_eq!(ttl_cache.take_at(&key(0), later), None);
        assert!(ttl_cache.memory().by_key.is_empty());
        // An addition that was taken away does not take one with it that came after.
        ttl_cache.add_at(key(0), 1, later);
        assert_eq!(ttl_cache.get_at(&key(0), start + lifetime * 3 / 2), Some(1));
    }
}
