//! How often clients may fail to authenticate: from one address, and with one account.
//!
//! An attempt counts from its beginning and is given back where it succeeds, so that attempts at the
//! same time do not get around a limit. What was counted drains evenly: who has used up `limit`
//! failures has one more every `window / limit`. A stranger can thereby hold up an account, and whoever
//! comes from an address from which the account was used is not held up by that.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postgate_config::Limits;
use postgate_proto::network::client_network;

/// The attempts at a whole gateway.
#[derive(Debug)]
pub(crate) struct Attempts {
    /// Nothing but hashes is kept: neither names nor addresses.
    hasher: RandomState,
    by_address: Option<Buckets>,
    by_account: Option<Buckets>,
    known: Mutex<Known>,
}

/// Which limit an attempt is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooMany {
    /// That of the account.
    Account,
    /// That of the address.
    Address,
}

/// An attempt. It stays counted as failed unless it is said how it ended.
#[derive(Debug)]
#[must_use = "an attempt that is dropped has failed"]
pub(crate) struct Attempt {
    of: Arc<Attempts>,
    address: u64,
    /// Nothing where the account is not limited for this client, or has no name.
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

    /// Begins an attempt. Which accounts there are makes no difference; letter case neither. The
    /// account is empty where the mechanism does not tell it.
    pub(crate) fn begin(
        self: &Arc<Self>,
        address: IpAddr,
        account: &str,
    ) -> Result<Attempt, TooMany> {
        self.begin_at(address, account, Instant::now())
    }

    fn begin_at(
        self: &Arc<Self>,
        address: IpAddr,
        account: &str,
        now: Instant,
    ) -> Result<Attempt, TooMany> {
        let account = account.to_lowercase();
        let address = client_network(address);
        let pair = self.hasher.hash_one((address, &account));
        let address = self.hasher.hash_one(address);
        let is_limited = !account.is_empty() && !lock(&self.known).pairs.contains(&pair);
        let account = is_limited.then(|| self.hasher.hash_one(&account));
        if !take(self.by_address.as_ref(), Some(address), now) {
            return Err(TooMany::Address);
        }
        if !take(self.by_account.as_ref(), account, now) {
            // Nobody looks at the credentials, so nobody can say that they are wrong.
            give_back(self.by_address.as_ref(), Some(address));
            return Err(TooMany::Account);
        }
        let of = Arc::clone(self);
        Ok(Attempt {
            of,
            address,
            account,
            pair,
        })
    }
}

impl Attempt {
    /// The client has authenticated. The account is known to be used from its address now.
    pub(crate) fn succeeded(self) {
        lock(&self.of.known).insert(self.pair);
        self.undecided();
    }

    /// The attempt says nothing about the client.
    pub(crate) fn undecided(self) {
        give_back(self.of.by_address.as_ref(), Some(self.address));
        give_back(self.of.by_account.as_ref(), self.account);
    }
}

fn take(buckets: Option<&Buckets>, key: Option<u64>, now: Instant) -> bool {
    match (buckets, key) {
        (Some(buckets), Some(key)) => buckets.take(key, now),
        _ => true,
    }
}

fn give_back(buckets: Option<&Buckets>, key: Option<u64>) {
    if let (Some(buckets), Some(key)) = (buckets, key) {
        buckets.give_back(key);
    }
}

/// One bucket for each address or account, which fills with failures and drains with time.
#[derive(Debug)]
struct Buckets {
    limit: f64,
    drained_a_second: f64,
    levels: Mutex<HashMap<u64, Level>>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    failures: f64,
    at: Instant,
}

impl Buckets {
    /// No buckets where there is no limit.
    fn new(limit: u32, window: Duration) -> Option<Self> {
        let limit = f64::from(limit);
        (limit > 0.0).then(|| Self {
            limit,
            drained_a_second: limit / window.as_secs_f64(),
            levels: Mutex::default(),
        })
    }

    fn take(&self, key: u64, now: Instant) -> bool {
        let mut levels = lock(&self.levels);
        if levels.len() >= MAX_KEPT {
            self.forget(&mut levels, now);
        }
        let level = levels.entry(key).or_insert(Level {
            failures: 0.0,
            at: now,
        });
        let failures = self.drained(*level, now);
        if failures + 1.0 > self.limit {
            return false;
        }
        *level = Level {
            failures: failures + 1.0,
            at: now,
        };
        true
    }

    fn give_back(&self, key: u64) {
        let mut levels = lock(&self.levels);
        if let Some(level) = levels.get_mut(&key) {
            level.failures = (level.failures - 1.0).max(0.0);
            if level.failures == 0.0 {
                levels.remove(&key);
            }
        }
    }

    fn drained(&self, level: Level, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(level.at).as_secs_f64();
        (level.failures - elapsed * self.drained_a_second).max(0.0)
    }

    /// Makes room: what has drained goes, and if that is not enough, the emptier half.
    fn forget(&self, levels: &mut HashMap<u64, Level>, now: Instant) {
        levels.retain(|_, level| self.drained(*level, now) > 0.0);
        if levels.len() >= MAX_KEPT {
            let mut failures: Vec<f64> = levels
                .values()
                .map(|level| self.drained(*level, now))
                .collect();
            failures.sort_by(f64::total_cmp);
            let median = failures[failures.len() / 2];
            levels.retain(|_, level| self.drained(*level, now) > median);
        }
    }
}

/// From which addresses accounts were used lately.
#[derive(Debug, Default)]
struct Known {
    pairs: HashSet<u64>,
    in_order: VecDeque<u64>,
}

impl Known {
    fn insert(&mut self, pair: u64) {
        if !self.pairs.insert(pair) {
            return;
        }
        self.in_order.push_back(pair);
        if self.in_order.len() > MAX_KEPT
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.pairs.remove(&oldest);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many addresses, accounts and pairs of them are remembered.
const MAX_KEPT: usize = 50_000;

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

    /// Fails, where it may be tried at all.
    fn fail(attempts: &Arc<Attempts>, from: u32, account: &str, now: Instant) -> Option<TooMany> {
        attempts.begin_at(ip(from), account, now).err()
    }

    #[test]
    fn an_address_may_fail_so_often() {
        let (attempts, now) = (attempts(2, 0), Instant::now());
        assert_eq!(fail(&attempts, 1, "a", now), None);
        assert_eq!(fail(&attempts, 1, "b", now), None);
        assert_eq!(fail(&attempts, 1, "c", now), Some(TooMany::Address));
        assert_eq!(fail(&attempts, 2, "c", now), None);
        let later = now + Duration::from_mins(5);
        assert_eq!(fail(&attempts, 1, "a", later), None);
        assert_eq!(fail(&attempts, 1, "a", later), Some(TooMany::Address));
    }

    #[test]
    fn an_account_may_fail_so_often_from_anywhere() {
        let (attempts, now) = (attempts(0, 2), Instant::now());
        assert_eq!(fail(&attempts, 1, "alice", now), None);
        assert_eq!(fail(&attempts, 2, "Alice", now), None);
        assert_eq!(fail(&attempts, 3, "alice", now), Some(TooMany::Account));
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
        // Several at a time do not get around the limit.
        let attempt = attempts.begin_at(ip(1), "alice", now).unwrap();
        assert_eq!(fail(&attempts, 1, "alice", now), Some(TooMany::Address));
        attempt.undecided();
        assert_eq!(fail(&attempts, 1, "alice", now), None);
    }

    #[test]
    fn strangers_do_not_lock_a_user_out() {
        let (attempts, now) = (attempts(0, 1), Instant::now());
        attempts.begin_at(ip(1), "alice", now).unwrap().succeeded();
        assert_eq!(fail(&attempts, 2, "alice", now), None);
        assert_eq!(fail(&attempts, 2, "alice", now), Some(TooMany::Account));
        attempts.begin_at(ip(1), "alice", now).unwrap().succeeded();
        assert_eq!(fail(&attempts, 1, "bob", now), None);
        assert_eq!(fail(&attempts, 1, "bob", now), Some(TooMany::Account));
    }

    #[test]
    fn memory_is_bounded() {
        let (attempts, now) = (attempts(2, 2), Instant::now());
        assert_eq!(fail(&attempts, 0, "target", now), None);
        assert_eq!(fail(&attempts, 0, "target", now), None);
        let most = u32::try_from(MAX_KEPT).unwrap();
        for number in 1..=most + 10 {
            let name = number.to_string();
            assert_eq!(fail(&attempts, number, &name, now), None);
        }
        let kept = lock(&attempts.by_account.as_ref().unwrap().levels).len();
        assert!(kept <= MAX_KEPT, "{kept}");
        // What is nearest to its limit is kept the longest.
        assert_eq!(fail(&attempts, 5, "target", now), Some(TooMany::Account));
    }
}
