//! Limits on connections: their number, their number by client address, and their rate.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use postgate_config::Limits;
use postgate_proto::network::client_network;

/// The limits of one listener on its clients.
#[derive(Debug)]
pub(crate) struct Admission {
    connections: Arc<Semaphore>,
    /// The sessions that are processed at a time; `None` if they are not limited.
    slots: Option<Arc<Semaphore>>,
    by_address: Arc<ConnectionCounts>,
    /// The most connections of one address; 0 if they are not limited.
    max_by_address: u32,
    /// The connections a minute of one address; `None` if they are not limited.
    rate: Option<DefaultKeyedRateLimiter<IpAddr>>,
}

/// The limit that a connection exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdmissionError {
    /// The connections of the client's address.
    Address,
    /// The open files of the process.
    Descriptors,
    /// The processor time that plugins may use for the client.
    Cpu,
    /// All connections, or the instances of plugins.
    Full,
    /// The memory of all instances of plugins.
    Memory,
    /// The connection rate of the client's address.
    Rate,
}

/// Counts a connection until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    _connection: OwnedSemaphorePermit,
}

/// Counts a connection of one client until it is dropped.
#[derive(Debug)]
pub(crate) struct ClientPermit {
    _counted: Option<CountedConnection>,
}

impl ClientPermit {
    /// For a connection without a client of its own: a proxy that looks whether the gateway is there.
    pub(crate) const fn uncounted() -> Self {
        Self { _counted: None }
    }
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        let semaphore = |permits: u32| Arc::new(Semaphore::new(permits as usize));
        Self {
            connections: semaphore(limits.connections),
            slots: (limits.slots > 0).then(|| semaphore(limits.slots)),
            by_address: Arc::default(),
            max_by_address: limits.connections_per_address,
            rate: NonZeroU32::new(limits.connection_rate)
                .map(|rate| RateLimiter::keyed(Quota::per_minute(rate))),
        }
    }

    /// Admits a connection before its client is known.
    ///
    /// # Errors
    ///
    /// Fails if the listener has as many connections as it may.
    pub(crate) fn admit(&self) -> Result<ConnectionPermit, AdmissionError> {
        let connection = Arc::clone(&self.connections).try_acquire_owned();
        let connection = connection.map_err(|_| AdmissionError::Full)?;
        Ok(ConnectionPermit {
            _connection: connection,
        })
    }

    /// Admits a client by its address, which may come from a PROXY header.
    ///
    /// # Errors
    ///
    /// Fails if its network has too many connections, or connects too often.
    pub(crate) fn admit_client(&self, address: IpAddr) -> Result<ClientPermit, AdmissionError> {
        let key = client_network(address);
        let counted = match self.max_by_address {
            0 => None,
            max => {
                let counted = ConnectionCounts::add(&self.by_address, key, max);
                Some(counted.ok_or(AdmissionError::Address)?)
            }
        };
        if let Some(rate) = &self.rate {
            rate.check_key(&key).map_err(|_| AdmissionError::Rate)?;
            // Without this, the table would grow with every new address.
            if rate.len() > MAX_RATE_ENTRIES {
                rate.retain_recent();
            }
        }
        Ok(ClientPermit { _counted: counted })
    }

    /// Waits until the session may be processed. Returns `None` if sessions are not limited.
    pub(crate) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        let slots = Arc::clone(self.slots.as_ref()?);
        // Acquiring fails only if the semaphore is closed, which never happens.
        slots.acquire_owned().await.ok()
    }
}

/// The number of connections of each client network.
#[derive(Debug, Default)]
struct ConnectionCounts(Mutex<HashMap<IpAddr, u32>>);

/// Counts a connection until it is dropped.
#[derive(Debug)]
struct CountedConnection {
    counts: Arc<ConnectionCounts>,
    key: IpAddr,
}

impl ConnectionCounts {
    /// Returns `None` if the network has `max` connections already.
    fn add(counts: &Arc<Self>, key: IpAddr, max: u32) -> Option<CountedConnection> {
        let mut by_key = counts.lock();
        let count = by_key.entry(key).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        drop(by_key);
        let counts = Arc::clone(counts);
        Some(CountedConnection { counts, key })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        // The counters are independent of each other, so a panic cannot leave them inconsistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// The size of the table of rates above which entries without recent connections are removed.
const MAX_RATE_ENTRIES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn connections_are_counted_until_they_end() {
        let admission = Admission::new(&Limits {
            connections: 2,
            connections_per_address: 2,
            ..Limits::default()
        });
        let (one, two) = (admission.admit(), admission.admit());
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(admission.admit().err(), Some(AdmissionError::Full));
        drop(one);
        assert!(admission.admit().is_ok());

        let first = admission.admit_client(ip("192.0.2.1"));
        let second = admission.admit_client(ip("::ffff:192.0.2.1"));
        assert!(first.is_ok() && second.is_ok());
        let third = admission.admit_client(ip("192.0.2.1"));
        assert_eq!(third.err(), Some(AdmissionError::Address));
        assert!(admission.admit_client(ip("192.0.2.2")).is_ok());
        drop(first);
        assert!(admission.admit_client(ip("192.0.2.1")).is_ok());
        drop(second);
        assert!(admission.by_address.0.lock().unwrap().is_empty());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_client() {
        let admission = Admission::new(&Limits {
            connections_per_address: 1,
            ..Limits::default()
        });
        let _first = admission.admit_client(ip("2001:db8::1")).unwrap();
        assert_eq!(
            admission.admit_client(ip("2001:db8::2")).err(),
            Some(AdmissionError::Address)
        );
        assert!(admission.admit_client(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn clients_above_the_rate_are_denied() {
        let admission = Admission::new(&Limits {
            connection_rate: 2,
            ..Limits::default()
        });
        assert!(admission.admit_client(ip("192.0.2.1")).is_ok());
        assert!(admission.admit_client(ip("192.0.2.1")).is_ok());
        assert_eq!(
            admission.admit_client(ip("192.0.2.1")).err(),
            Some(AdmissionError::Rate)
        );
        assert!(admission.admit_client(ip("192.0.2.2")).is_ok());
    }
}
