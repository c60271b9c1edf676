//! Whom a plugin has worked for lately, kept at each call without a lock.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use postgate_contract::Event;

/// The last two clients for whom the plugin has answered at each event: enough to find one that is
/// another than any given one. Where two calls come at the same moment, one of them may be lost.
#[derive(Debug)]
pub(super) struct Served {
    since: Instant,
    window: Duration,
    /// Nobody can choose an address that is taken for another one.
    hasher: RandomState,
    events: [Clients; Event::ALL.len()],
}

#[derive(Debug, Default)]
struct Clients {
    last: AtomicU64,
    before: AtomicU64,
}

/// A client and when it was served, in one word: 24 bits of a hash, and 40 of milliseconds since the
/// beginning, which are above 0.
#[derive(Clone, Copy, Debug)]
struct Record(u64);

const TIME: u32 = 40;

impl Record {
    const fn client(self) -> u64 {
        self.0 >> TIME
    }

    const fn time(self) -> u64 {
        self.0 & ((1 << TIME) - 1)
    }
}

impl Served {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            since: Instant::now(),
            window,
            hasher: RandomState::new(),
            events: Default::default(),
        }
    }

    /// The plugin has answered.
    pub(super) fn note(&self, event: Event, client: IpAddr, now: Instant) {
        let new = self.record(client, now);
        let clients = &self.events[event as usize];
        let last = Record(clients.last.load(Ordering::Relaxed));
        if last.client() != new.client() {
            clients.before.store(last.0, Ordering::Relaxed);
        } else if new.time().saturating_sub(last.time()) < RESOLUTION {
            return;
        }
        clients.last.store(new.0, Ordering::Relaxed);
    }

    /// Whether it has answered for other clients lately.
    pub(super) fn has_others(&self, event: Event, client: IpAddr, now: Instant) -> bool {
        let own = self.record(client, now);
        let clients = &self.events[event as usize];
        let records = [&clients.last, &clients.before].map(|word| word.load(Ordering::Relaxed));
        records.map(Record).iter().any(|record| {
            let age = own.time().saturating_sub(record.time());
            record.time() > 0
                && record.client() != own.client()
                && Duration::from_millis(age) <= self.window
        })
    }

    fn record(&self, client: IpAddr, now: Instant) -> Record {
        let time = now.saturating_duration_since(self.since).as_millis();
        let time = u64::try_from(time).unwrap_or(u64::MAX);
        let time = time.saturating_add(1).min((1 << TIME) - 1);
        Record(self.hasher.hash_one(client) << TIME | time)
    }
}

/// A client that comes all the time is written down so often, in milliseconds.
const RESOLUTION: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clients_are_enough_to_find_another_one() {
        let served = Served::new(Duration::from_secs(60));
        let start = Instant::now();
        let client = |last: u8| IpAddr::from([192, 0, 2, last]);
        let at = |second| start + Duration::from_secs(second);
        assert!(!served.has_others(Event::Rcpt, client(1), at(0)));
        served.note(Event::Rcpt, client(1), at(0));
        assert!(!served.has_others(Event::Rcpt, client(1), at(0)));
        assert!(served.has_others(Event::Rcpt, client(2), at(0)));
        assert!(!served.has_others(Event::Mail, client(2), at(0)));
        // However often one comes, the other one is not forgotten.
        for second in 1..50 {
            served.note(Event::Rcpt, client(2), at(second));
        }
        assert!(served.has_others(Event::Rcpt, client(2), at(59)));
        assert!(!served.has_others(Event::Rcpt, client(2), at(61)));
        assert!(served.has_others(Event::Rcpt, client(1), at(108)));
        assert!(!served.has_others(Event::Rcpt, client(1), at(111)));
    }
}
