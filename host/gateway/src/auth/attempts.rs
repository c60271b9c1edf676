//! Limits on failed authentications, by client address and by account.
//!
//! An attempt counts as failed from its beginning, and is subtracted if it succeeds. Concurrent attempts
//! therefore cannot exceed a limit. Failures are counted in leaky buckets: after `limit` failures, one
//! more attempt is possible every `window / limit`. An attacker can block an account this way, but not
//! for clients from an address that has used the account successfully before.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postgate_config::Limits;
use postgate_proto::network::client_network;
use postgate_users::canonical_name;

/// The authentication attempts at a gateway.
#[derive(Debug)]
pub(crate) struct Attempts {
    /// The tables have only hashes as keys, no names and no addresses.
    hasher: RandomState,
    /// `None` if there is no limit.
    by_address: Option<Buckets>,
    /// `None` if there is no limit.
    by_account: Option<Buckets>,
    known: Mutex<KnownPairs>,
}

/// The limit that an attempt exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExceededLimit {
    Account,
    Address,
}

/// An attempt in progress. It counts as failed, unless [`Self::succeeded`] or [`Self::undecided`] is
/// called.
#[derive(Debug)]
#[must_use = "an attempt that is dropped has failed"]
pub(crate) struct Attempt {
    attempts: Arc<Attempts>,
    address: u64,
    /// `None` if the account has no name, or is not limited for this client.
    account: Option<u64>,
    pair: u64,
}

impl Attempts {
    pub(crate) fn new(limits: &Limits) -> Self {
        let buckets = |limit| Buckets::new(limit, limits.auth_failure_window);
        Self {
            hasher: RandomState::new(),
            by_address: buckets(limits.auth_failures_per_address),
            by_account: buckets(limits.auth_failures_per_account),
            known: Mutex::default(),
        }
    }

    /// Begins an attempt. Counts nonexistent accounts like existing ones, and takes all spellings of a name for one. The
    /// account is empty if the mechanism does not name it.
    ///
    /// # Errors
    ///
    /// Fails if the attempt exceeds a limit. It is not counted then.
    pub(crate) fn begin(
        self: &Arc<Self>,
        address: IpAddr,
        account: &str,
    ) -> Result<Attempt, ExceededLimit> {
        self.begin_at(address, account, Instant::now())
    }

    fn begin_at(
        self: &Arc<Self>,
        address: IpAddr,
        account: &str,
        now: Instant,
    ) -> Result<Attempt, ExceededLimit> {
        let account = canonical_name(account);
        let address = client_network(address);
        let pair = self.hasher.hash_one((address, &account));
        let address = self.hasher.hash_one(address);
        let is_limited = !account.is_empty() && !lock(&self.known).pairs.contains(&pair);
        let account = is_limited.then(|| self.hasher.hash_one(&account));
        if !add(self.by_address.as_ref(), Some(address), now) {
            return Err(ExceededLimit::Address);
        }
        if !add(self.by_account.as_ref(), account, now) {
            // The credentials are not verified, so this is no failure of the address.
            subtract(self.by_address.as_ref(), Some(address));
            return Err(ExceededLimit::Account);
        }
        Ok(Attempt {
            attempts: Arc::clone(self),
            address,
            account,
            pair,
        })
    }
}

impl Attempt {
    /// Records that the client has authenticated. From now on, the limit of the account does not apply
    /// to its address.
    pub(crate) fn succeeded(self) {
        lock(&self.attempts.known).insert(self.pair);
        self.undecided();
    }

    /// Subtracts the attempt, for example because no plugin could verify the credentials.
    pub(crate) fn undecided(self) {
        subtract(self.attempts.by_address.as_ref(), Some(self.address));
        subtract(self.attempts.by_account.as_ref(), self.account);
    }
}

fn add(buckets: Option<&Buckets>, key: Option<u64>, now: Instant) -> bool {
    match (buckets, key) {
        (Some(buckets), Some(key)) => buckets.add(key, now),
        _ => true,
    }
}

fn subtract(buckets: Option<&Buckets>, key: Option<u64>) {
    if let (Some(buckets), Some(key)) = (buckets, key) {
        buckets.subtract(key);
    }
}

/// A leaky bucket of failures for each address or account.
#[derive(Debug)]
struct Buckets {
    limit: f64,
    /// In failures a second.
    leak_rate: f64,
    levels: Mutex<HashMap<u64, Level>>,
}

/// The level of a bucket at a time.
#[derive(Clone, Copy, Debug)]
struct Level {
    failures: f64,
    at: Instant,
}

impl Buckets {
    /// Returns `None` if the limit is 0, which means that there is none.
    fn new(limit: u32, window: Duration) -> Option<Self> {
        let limit = f64::from(limit);
        (limit > 0.0).then(|| Self {
            limit,
            leak_rate: limit / window.as_secs_f64(),
            levels: Mutex::default(),
        })
    }

    /// Adds a failure. Returns false if the bucket is full.
    fn add(&self, key: u64, now: Instant) -> bool {
        let mut levels = lock(&self.levels);
        if levels.len() >= MAX_ENTRIES {
            self.evict(&mut levels, now);
        }
        let level = levels.entry(key).or_insert(Level {
            failures: 0.0,
            at: now,
        });
        let failures = self.failures(*level, now);
        if failures + 1.0 > self.limit {
            return false;
        }
        *level = Level {
            failures: failures + 1.0,
            at: now,
        };
        true
    }

    fn subtract(&self, key: u64) {
        let mut levels = lock(&self.levels);
        if let Some(level) = levels.get_mut(&key) {
            level.failures = (level.failures - 1.0).max(0.0);
            if level.failures == 0.0 {
                levels.remove(&key);
            }
        }
    }

    /// Returns the level of a bucket now.
    fn failures(&self, level: Level, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(level.at).as_secs_f64();
        (level.failures - elapsed * self.leak_rate).max(0.0)
    }

    /// Removes empty buckets, and if there are none, the half with the lower levels.
    fn evict(&self, levels: &mut HashMap<u64, Level>, now: Instant) {
        levels.retain(|_, level| self.failures(*level, now) > 0.0);
        if levels.len() >= MAX_ENTRIES {
            let mut failures: Vec<f64> = levels
                .values()
                .map(|level| self.failures(*level, now))
                .collect();
            failures.sort_by(f64::total_cmp);
            let median = failures[failures.len() / 2];
            levels.retain(|_, level| self.failures(*level, now) > median);
        }
    }
}

/// The pairs of address and account that have authenticated, the most recent [`MAX_ENTRIES`].
#[derive(Debug, Default)]
struct KnownPairs {
    pairs: HashSet<u64>,
    in_order: VecDeque<u64>,
}

impl KnownPairs {
    fn insert(&mut self, pair: u64) {
        if !self.pairs.insert(pair) {
            return;
        }
        self.in_order.push_back(pair);
        if self.in_order.len() > MAX_ENTRIES
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.pairs.remove(&oldest);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The tables have no invariants that a panic could break.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most entries of each table, which bounds its memory.
const MAX_ENTRIES: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(per_address: u32, per_account: u32) -> Arc<Attempts> {
        Arc::new(Attempts::new(&Limits {
            auth_failures_per_address: per_address,
            auth_failures_per_account: per_account,
            auth_failure_window: Duration::from_mins(10),
            ..Limits::default()
        }))
    }

    fn ip(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(number).into()
    }

    /// Makes an attempt that fails. Returns the limit that it exceeds, if any.
    fn fail(
        attempts: &Arc<Attempts>,
        from: u32,
        account: &str,
        now: Instant,
    ) -> Option<ExceededLimit> {
        attempts.begin_at(ip(from), account, now).err()
    }

    #[test]
    fn failures_of_an_address_are_limited() {
        let (attempts, now) = (attempts(2, 0), Instant::now());
        assert_eq!(fail(&attempts, 1, "a", now), None);
        assert_eq!(fail(&attempts, 1, "b", now), None);
        assert_eq!(fail(&attempts, 1, "c", now), Some(ExceededLimit::Address));
        assert_eq!(fail(&attempts, 2, "c", now), None);
        let later = now + Duration::from_mins(5);
        assert_eq!(fail(&attempts, 1, "a", later), None);
        assert_eq!(fail(&attempts, 1, "a", later), Some(ExceededLimit::Address));
    }

    #[test]
    fn failures_of_an_account_are_limited_across_addresses() {
        let (attempts, now) = (attempts(0, 2), Instant::now());
        assert_eq!(fail(&attempts, 1, "alice", now), None);
        assert_eq!(fail(&attempts, 2, "Alice", now), None);
        assert_eq!(
            fail(&attempts, 3, "alice", now),
            Some(ExceededLimit::Account)
        );
        assert_eq!(fail(&attempts, 3, "bob", now), None);
        assert_eq!(fail(&attempts, 3, "", now), None);
        assert_eq!(fail(&attempts, 3, "", now), None);
        assert_eq!(fail(&attempts, 3, "", now), None);
    }

    #[test]
    fn only_failures_count() {
        let (attempts, now) = (attempts(1, 1), Instant::now());
        for _ in 0..5 {
            attempts.begin_at(ip(1), "alice", now).unwrap().succeeded();
            attempts.begin_at(ip(1), "alice", now).unwrap().undecided();
        }
        // An attempt in progress counts.
        let attempt = attempts.begin_at(ip(1), "alice", now).unwrap();
        assert_eq!(
            fail(&attempts, 1, "alice", now),
            Some(ExceededLimit::Address)
        );
        attempt.undecided();
        assert_eq!(fail(&attempts, 1, "alice", now), None);
    }

    #[test]
    fn failures_from_other_addresses_do_not_block_a_known_address() {
        let (attempts, now) = (attempts(0, 1), Instant::now());
        attempts.begin_at(ip(1), "alice", now).unwrap().succeeded();
        assert_eq!(fail(&attempts, 2, "alice", now), None);
        assert_eq!(
            fail(&attempts, 2, "alice", now),
            Some(ExceededLimit::Account)
        );
        attempts.begin_at(ip(1), "alice", now).unwrap().succeeded();
        assert_eq!(fail(&attempts, 1, "bob", now), None);
        assert_eq!(fail(&attempts, 1, "bob", now), Some(ExceededLimit::Account));
    }

    #[test]
    fn memory_is_bounded() {
        let (attempts, now) = (attempts(2, 2), Instant::now());
        assert_eq!(fail(&attempts, 0, "target", now), None);
        assert_eq!(fail(&attempts, 0, "target", now), None);
        let most = u32::try_from(MAX_ENTRIES).unwrap();
        for number in 1..=most + 10 {
            let name = number.to_string();
            assert_eq!(fail(&attempts, number, &name, now), None);
        }
        let kept = lock(&attempts.by_account.as_ref().unwrap().levels).len();
        assert!(kept <= MAX_ENTRIES, "{kept}");
        // The fullest buckets are kept.
        assert_eq!(
            fail(&attempts, 5, "target", now),
            Some(ExceededLimit::Account)
        );
    }
}
