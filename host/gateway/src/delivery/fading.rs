//! A memory that is bounded in number and in time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A hash of what something is remembered by.
pub(super) type Key = [u8; 32];

/// Keeps at most [`CAPACITY`] values, each for a time, and forgets the oldest first.
#[derive(Debug)]
pub(super) struct Fading<V> {
    lifetime: Duration,
    memory: Mutex<Memory<V>>,
}

/// The most values that are kept.
const CAPACITY: usize = 10_000;

impl<V: Clone> Fading<V> {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            memory: Mutex::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.memory().by_key.is_empty()
    }

    pub(super) fn get(&self, key: &Key) -> Option<V> {
        self.get_at(key, Instant::now())
    }

    pub(super) fn add(&self, key: Key, value: V) {
        self.add_at(key, value, Instant::now());
    }

    fn get_at(&self, key: &Key, now: Instant) -> Option<V> {
        let mut memory = self.memory();
        memory.forget_old(now, self.lifetime);
        memory.by_key.get(key).cloned()
    }

    fn add_at(&self, key: Key, value: V, now: Instant) {
        let mut memory = self.memory();
        memory.forget_old(now, self.lifetime);
        if memory.by_key.insert(key, value).is_some() {
            return;
        }
        memory.by_age.push_back((now, key));
        if memory.by_age.len() > CAPACITY {
            memory.forget_oldest();
        }
    }

    /// Nothing is left half done where a holder of the lock panics.
    fn memory(&self) -> MutexGuard<'_, Memory<V>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Memory<V> {
    by_key: HashMap<Key, V>,
    by_age: VecDeque<(Instant, Key)>,
}

impl<V> Default for Memory<V> {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            by_age: VecDeque::new(),
        }
    }
}

impl<V> Memory<V> {
    fn forget_old(&mut self, now: Instant, lifetime: Duration) {
        while let Some((since, _)) = self.by_age.front()
            && now.duration_since(*since) >= lifetime
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.by_age.pop_front() {
            self.by_key.remove(&key);
        }
    }
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
        let fading = Fading::new(lifetime);
        let start = Instant::now();
        for index in 0..=CAPACITY {
            fading.add_at(key(index), index, start);
        }
        fading.add_at(key(CAPACITY), 7, start);
        let memory = fading.memory();
        let counts = (memory.by_key.len(), memory.by_age.len());
        drop(memory);
        assert_eq!(counts, (CAPACITY, CAPACITY));
        assert_eq!(fading.get_at(&key(0), start), None);
        assert_eq!(fading.get_at(&key(1), start), Some(1));
        assert_eq!(fading.get_at(&key(CAPACITY), start), Some(7));
        let later = start + lifetime;
        fading.add_at(key(0), 0, later);
        assert_eq!(fading.get_at(&key(1), later), None);
        assert_eq!(fading.get_at(&key(0), later), Some(0));
        assert!(!fading.is_empty());
    }
}
