//! A plugin that keeps failing is taken out for a while, so that it costs neither time nor log lines.
//!
//! Taken out means that the plugin is not asked: every session hears what the operator chose for a
//! failure of it. After a back-off one session tries it, and with it the plugin comes back or stays
//! out for twice as long.
//!
//! A client must not be able to take a plugin out for all others by mail that it fails on. So a
//! client counts once, however often it makes the plugin fail, for as long as the plugin works for
//! other clients at the same event. Where it has worked for no other one lately, nobody can say whose
//! fault it is: then each session counts once, and once more with each [`BreakerRules::failures`] of
//! its own. A burst in one session is no reason to take a plugin out, while one that is broken for
//! everybody goes out also where one client brings all mail, over one connection even. An instance
//! that cannot be made is nobody's fault but the plugin's: each time counts.

mod circuit;
mod served;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::circuit::Circuit;
use self::served::Served;
use postgate_contract::{BreakerRules, Event};
use postgate_proto::network::client_network;

/// The breaker of one plugin, shared by all sessions.
#[derive(Debug)]
pub struct Breaker {
    circuit: Mutex<Circuit>,
    /// Whether sessions have to ask first: while a plugin is in, no call that succeeds takes the lock.
    is_open: AtomicBool,
    /// Whom the plugin works for.
    served: Served,
}

/// Whether a session may ask the plugin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The plugin is taken out.
    Out,
    /// It works.
    Run,
    /// It is taken out, and this session is the one that tries it.
    Try(Trial),
}

/// The right of one session to try a plugin that is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial(u64);

/// What a call has made of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The plugin is in again.
    Closed,
    /// It is taken out for so long.
    Opened(Duration),
}

/// A call of a plugin, as far as it matters to a breaker.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What the plugin was asked about. Nothing where it came to no question, since no instance could
    /// be made.
    pub event: Option<Event>,
    /// For which client.
    pub client: IpAddr,
    /// In which session.
    pub session: &'a str,
    /// The right by which a plugin was asked that is taken out.
    pub trial: Option<Trial>,
}

impl Breaker {
    /// Closed.
    pub fn new(rules: BreakerRules) -> Self {
        Self {
            served: Served::new(rules.window),
            circuit: Mutex::new(Circuit::new(rules)),
            is_open: AtomicBool::new(false),
        }
    }

    /// Whether the plugin is taken out.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Asks whether a session of this client may ask the plugin now.
    pub fn enter(&self, trial: Option<Trial>, client: IpAddr, now: Instant) -> Entry {
        match self.is_open() {
            true => self.circuit().enter(trial, client_network(client), now),
            false => Entry::Run,
        }
    }

    /// The plugin has answered.
    pub fn succeeded(&self, call: Call<'_>, now: Instant) -> Option<Change> {
        if let Some(event) = call.event {
            self.served.note(event, client_network(call.client), now);
        }
        match self.is_open() {
            true => self.change(|circuit| circuit.succeeded(call, now)),
            false => None,
        }
    }

    /// The plugin has failed.
    pub fn failed(&self, call: Call<'_>, now: Instant) -> Option<Change> {
        let client = client_network(call.client);
        let works_for_others = call
            .event
            .is_some_and(|event| self.served.has_others(event, client, now));
        self.change(|circuit| circuit.failed(call, client, works_for_others, now))
    }

    /// The session that was to try the plugin is over, or has come no further.
    pub fn over(&self, trial: Trial, now: Instant) -> Option<Change> {
        self.change(|circuit| circuit.over(trial, now))
    }

    fn change(&self, change: impl FnOnce(&mut Circuit) -> Option<Change>) -> Option<Change> {
        let mut circuit = self.circuit();
        let change = change(&mut circuit);
        self.is_open.store(circuit.is_open(), Ordering::Relaxed);
        change
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        // Each change of a circuit is whole: nothing in them can panic half-way.
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
