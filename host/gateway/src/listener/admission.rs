//! Who is let in: how many at a time, how many from one address, and how often.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use postgate_config::Limits;
use postgate_proto::network::client_network;

/// The limits of one listener on its clients.
#[derive(Debug)]
pub(crate) struct Admission {
    connections: Arc<Semaphore>,
    slots: Option<Arc<Semaphore>>,
    by_address: Arc<ByAddress>,
    most_by_address: u32,
    rate: Option<DefaultKeyedRateLimiter<IpAddr>>,
}

/// Why a client is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// It has as many connections as one address may have.
    Address,
    /// Everything is full.
    Full,
    /// It comes too often.
    Rate,
}

/// The place of one connection among all. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _connection: OwnedSemaphorePermit,
}

/// The place of one connection among those of its client. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct ClientPlace {
    _counted: Option<CountedAddress>,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        let semaphore = |permits: u32| Arc::new(Semaphore::new(permits as usize));
        Self {
            connections: semaphore(limits.connections),
            slots: (limits.slots > 0).then(|| semaphore(limits.slots)),
            by_address: Arc::default(),
            most_by_address: limits.connections_per_address,
            rate: NonZeroU32::new(limits.connection_rate)
                .map(|rate| RateLimiter::keyed(Quota::per_minute(rate))),
        }
    }

    /// Lets a connection in, whoever's it is, or says why not.
    pub(crate) fn admit(&self) -> Result<Place, TurnedAway> {
        let connection = Arc::clone(&self.connections).try_acquire_owned();
        let connection = connection.map_err(|_| TurnedAway::Full)?;
        Ok(Place {
            _connection: connection,
        })
    }

    /// Lets a client in, or says why not. Its address is the one that a proxy names, where one does.
    pub(crate) fn admit_client(&self, address: IpAddr) -> Result<ClientPlace, TurnedAway> {
        let key = client_network(address);
        let counted = match self.most_by_address {
            0 => None,
            most => Some(ByAddress::take(&self.by_address, key, most).ok_or(TurnedAway::Address)?),
        };
        if let Some(rate) = &self.rate {
            rate.check_key(&key).map_err(|_| TurnedAway::Rate)?;
            // Who has not come for a while is forgotten, so that the table does not grow.
            if rate.len() > MAX_RATES {
                rate.retain_recent();
            }
        }
        Ok(ClientPlace { _counted: counted })
    }

    /// Waits until the session may begin to be processed.
    pub(crate) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        let slots = Arc::clone(self.slots.as_ref()?);
        // The semaphore is never closed.
        slots.acquire_owned().await.ok()
    }
}

/// The connections of each address.
#[derive(Debug, Default)]
struct ByAddress(Mutex<HashMap<IpAddr, u32>>);

#[derive(Debug)]
struct CountedAddress {
    of: Arc<ByAddress>,
    key: IpAddr,
}

impl ByAddress {
    fn take(of: &Arc<Self>, key: IpAddr, most: u32) -> Option<CountedAddress> {
        let mut counts = of.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(counts);
        let of = Arc::clone(of);
        Some(CountedAddress { of, key })
    }
}

impl Drop for CountedAddress {
    fn drop(&mut self) {
        let mut counts = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// So many addresses are remembered before those that have not come for a while are forgotten.
const MAX_RATES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let admission = Admission::new(&Limits {
            connections: 2,
            connections_per_address: 2,
            ..Limits::default()
        });
        let (one, two) = (admission.admit(), admission.admit());
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(admission.admit().err(), Some(TurnedAway::Full));
        drop(one);
        assert!(admission.admit().is_ok());

        let first = admission.admit_client(ip("192.0.2.1"));
        let second = admission.admit_client(ip("::ffff:192.0.2.1"));
        assert!(first.is_ok() && second.is_ok());
        let third = admission.admit_client(ip("192.0.2.1"));
        assert_eq!(third.err(), Some(TurnedAway::Address));
        assert!(admission.admit_client(ip("192.0.2.2")).is_ok());
        drop(first);
        assert!(admission.admit_client(ip("192.0.2.1")).is_ok());
        drop(second);
        assert!(admission.by_address.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let admission = Admission::new(&Limits {
            connections_per_address: 1,
            ..Limits::default()
        });
        let _first = admission.admit_client(ip("2001:db8::1")).unwrap();
        assert_eq!(
            admission.admit_client(ip("2001:db8::2")).err(),
            Some(TurnedAway::Address)
        );
        assert!(admission.admit_client(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn who_comes_too_often_is_turned_away() {
        let admission = Admission::new(&Limits {
            connection_rate: 2,
            ..Limits::default()
        });
        assert!(admission.admit_client(ip("192.0.2.1")).is_ok());
        assert!(admission.admit_client(ip("192.0.2.1")).is_ok());
        assert_eq!(
            admission.admit_client(ip("192.0.2.1")).err(),
            Some(TurnedAway::Rate)
        );
        assert!(admission.admit_client(ip("192.0.2.2")).is_ok());
    }
}
