//! The processor time that plugins use, by client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgate_proto::network::client_network;

/// Counts the processor time that plugins use for each client, and tells who has used more in a minute than a
/// client may.
///
/// What counts is a level that falls by the limit in each minute, so that a client may use the limit at once,
/// and goes on at that rate.
#[derive(Debug)]
pub struct ClientCpu {
    /// The limit; `None` if time is not limited.
    limit: Option<Duration>,
    clients: Mutex<HashMap<IpAddr, Used>>,
}

/// The level of one client.
#[derive(Clone, Copy, Debug)]
struct Used {
    level: Duration,
    /// When it had this level.
    at: Instant,
    /// What is charged at a time, on an average that follows the latest.
    usual: Duration,
}

impl ClientCpu {
    /// Limits the processor time of a client in a minute. There is no limit if it is 0.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit: (!limit.is_zero()).then_some(limit),
            clients: Mutex::default(),
        }
    }

    /// Adds time that a plugin has used for a client. Returns the limit if the client has exceeded it.
    pub(crate) fn charge(&self, client: IpAddr, time: Duration) -> Option<Duration> {
        self.charge_at(client, time, Instant::now())
    }

    /// True if plugins have used more for this client than they may in a minute.
    pub fn is_exhausted(&self, client: IpAddr) -> bool {
        self.is_exhausted_at(client, Instant::now())
    }

    /// True if most of what plugins have lately done for this client has taken long, so that the next call is
    /// expected to be a long one, too.
    pub(crate) fn is_demanding(&self, client: IpAddr) -> bool {
        let used = self.lock().get(&client_network(client)).copied();
        used.is_some_and(|used| used.usual > USUAL)
    }

    fn charge_at(&self, client: IpAddr, time: Duration, now: Instant) -> Option<Duration> {
        // The gateway itself tries a plugin out when it loads it.
        if client.is_unspecified() {
            return None;
        }
        let limit = self.limit.unwrap_or(WITHOUT_LIMIT);
        let mut clients = self.lock();
        if clients.len() >= MAX_CLIENTS {
            clients.retain(|_, used| !used.level_at(now, limit).is_zero());
        }
        let used = clients.entry(client_network(client)).or_insert(Used {
            level: Duration::ZERO,
            at: now,
            usual: Duration::ZERO,
        });
        let level = used.level_at(now, limit) + time;
        *used = Used {
            level,
            at: now,
            usual: (used.usual * 7 + time) / 8,
        };
        self.limit.filter(|limit| level > *limit)
    }

    fn is_exhausted_at(&self, client: IpAddr, now: Instant) -> bool {
        let Some(limit) = self.limit else {
            return false;
        };
        let used = self.lock().get(&client_network(client)).copied();
        used.is_some_and(|used| used.level_at(now, limit) > limit)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Used>> {
        // A poisoned lock is usable: each entry is written as a whole.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    fn level_at(&self, now: Instant, limit: Duration) -> Duration {
        let minutes = now.saturating_duration_since(self.at).as_secs_f64() / 60.0;
        // After a minute, whatever the limit is, that much of it has gone; the bound avoids an overflow.
        let fallen = limit.mul_f64(minutes.min(MAX_MINUTES));
        self.level.saturating_sub(fallen)
    }
}

/// The number of clients above which those are forgotten that have used nothing lately.
const MAX_CLIENTS: usize = 10_000;

/// What a client is taken to be allowed in a minute if there is no limit: after as long, it is forgotten.
const WITHOUT_LIMIT: Duration = Duration::from_secs(30);

/// The time above which a charge is more than usual.
const USUAL: Duration = Duration::from_micros(500);

/// After so many minutes, a level is 0.
const MAX_MINUTES: f64 = 1e6;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn time_comes_back_at_the_rate_of_the_limit() {
        let clients = ClientCpu::new(LIMIT);
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let one = ip("192.0.2.1");
        clients.charge_at(one, LIMIT, begin);
        assert!(!clients.is_exhausted_at(one, begin));
        clients.charge_at(one, Duration::from_secs(15), begin);
        assert!(clients.is_exhausted_at(one, after(29)));
        assert!(!clients.is_exhausted_at(one, after(30)));
        clients.charge_at(one, Duration::from_secs(1), after(30));
        assert!(clients.is_exhausted_at(one, after(31)));
        assert!(!clients.is_exhausted_at(one, after(u64::from(u32::MAX))));
    }

    #[test]
    fn a_network_is_one_client() {
        let clients = ClientCpu::new(LIMIT);
        clients.charge(ip("2001:db8::1"), LIMIT * 2);
        assert!(clients.is_exhausted(ip("2001:db8::2")));
        assert!(!clients.is_exhausted(ip("2001:db8:0:1::1")));
        clients.charge(ip("::ffff:192.0.2.1"), LIMIT * 2);
        assert!(clients.is_exhausted(ip("192.0.2.1")));
    }

    #[test]
    fn clients_that_use_nothing_are_forgotten() {
        let clients = ClientCpu::new(LIMIT);
        let begin = Instant::now();
        for number in 1..=MAX_CLIENTS as u32 {
            clients.charge_at(IpAddr::V4(number.into()), Duration::from_secs(1), begin);
        }
        let later = begin + Duration::from_mins(1);
        clients.charge_at(ip("192.0.2.1"), Duration::from_secs(1), later);
        assert_eq!(clients.lock().len(), 1);
    }

    #[test]
    fn without_a_limit_nobody_is_exhausted() {
        let clients = ClientCpu::new(Duration::ZERO);
        clients.charge(ip("192.0.2.1"), Duration::from_hours(1));
        assert!(!clients.is_exhausted(ip("192.0.2.1")));
    }

    #[test]
    fn a_client_is_judged_by_its_latest_calls() {
        let clients = ClientCpu::new(LIMIT);
        let (one, other) = (ip("192.0.2.1"), ip("192.0.2.2"));
        clients.charge(one, Duration::from_millis(5));
        assert!(clients.is_demanding(one) && !clients.is_demanding(other));
        for _ in 0..10 {
            clients.charge(one, Duration::from_micros(20));
        }
        assert!(!clients.is_demanding(one));
    }
}
