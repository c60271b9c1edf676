//! The clients for whom a plugin has recently answered, updated at each call without a lock.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use postgate_contract::Event;

/// The last two clients for whom the plugin has answered at each event. Two are enough to tell if there
/// is a client other than a given one. If two calls are recorded at the same time, one may be lost.
#[derive(Debug)]
pub(super) struct RecentClients {
    /// The times in [`Record`] count from here.
    epoch: Instant,
    window: Duration,
    /// Keyed at random, so that nobody can choose addresses whose hashes collide.
    hasher: RandomState,
    events: [LastTwo; Event::ALL.len()],
}

#[derive(Debug, Default)]
struct LastTwo {
    last: AtomicU64,
    previous: AtomicU64,
}

/// A client and the time of its call, in one word: 24 bits of a hash, and 40 bits of milliseconds since
/// [`RecentClients::epoch`]. The time is never 0, which marks an empty record.
#[derive(Clone, Copy, Debug)]
struct Record(u64);

const TIME_BITS: u32 = 40;

impl Record {
    const fn client(self) -> u64 {
        self.0 >> TIME_BITS
    }

    const fn time(self) -> u64 {
        self.0 & ((1 << TIME_BITS) - 1)
    }
}

impl RecentClients {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            epoch: Instant::now(),
            window,
            hasher: RandomState::new(),
            events: Default::default(),
        }
    }

    /// Records that the plugin has answered.
    pub(super) fn record(&self, event: Event, client: IpAddr, now: Instant) {
        let new = self.encode(client, now);
        let clients = &self.events[event as usize];
        let last = Record(clients.last.load(Ordering::Relaxed));
        if last.client() != new.client() {
            clients.previous.store(last.0, Ordering::Relaxed);
        } else if new.time().saturating_sub(last.time()) < RESOLUTION {
            return;
        }
        clients.last.store(new.0, Ordering::Relaxed);
    }

    /// True if the plugin has answered for another client within the window.
    pub(super) fn has_others(&self, event: Event, client: IpAddr, now: Instant) -> bool {
        let own = self.encode(client, now);
        let clients = &self.events[event as usize];
        let records = [&clients.last, &clients.previous].map(|word| word.load(Ordering::Relaxed));
        records.map(Record).iter().any(|record| {
            let age = own.time().saturating_sub(record.time());
            record.time() > 0
                && record.client() != own.client()
                && Duration::from_millis(age) <= self.window
        })
    }

    fn encode(&self, client: IpAddr, now: Instant) -> Record {
        let time = now.saturating_duration_since(self.epoch).as_millis();
        let time = u64::try_from(time).unwrap_or(u64::MAX);
        let time = time.saturating_add(1).min((1 << TIME_BITS) - 1);
        Record(self.hasher.hash_one(client) << TIME_BITS | time)
    }
}

/// The time of a client that calls all the time is updated at most once in this many milliseconds.
const RESOLUTION: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clients_are_enough_to_find_another_one() {
        let clients = RecentClients::new(Duration::from_secs(60));
        let start = Instant::now();
        let client = |last: u8| IpAddr::from([192, 0, 2, last]);
        let at = |second| start + Duration::from_secs(second);
        assert!(!clients.has_others(Event::Rcpt, client(1), at(0)));
        clients.record(Event::Rcpt, client(1), at(0));
        assert!(!clients.has_others(Event::Rcpt, client(1), at(0)));
        assert!(clients.has_others(Event::Rcpt, client(2), at(0)));
        assert!(!clients.has_others(Event::Mail, client(2), at(0)));
        // One client that calls often does not displace the other.
        for second in 1..50 {
            clients.record(Event::Rcpt, client(2), at(second));
        }
        assert!(clients.has_others(Event::Rcpt, client(2), at(59)));
        assert!(!clients.has_others(Event::Rcpt, client(2), at(61)));
        assert!(clients.has_others(Event::Rcpt, client(1), at(108)));
        assert!(!clients.has_others(Event::Rcpt, client(1), at(111)));
    }
}
