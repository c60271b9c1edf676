//! A plugin that keeps failing is taken out for a while, so that it costs neither time nor log lines.
//!
//! Taken out means that the plugin is not asked: every session hears what the operator chose for a
//! failure of it. After a back-off one session tries it, and with it the plugin comes back or stays
//! out for twice as long.
//!
//! A client must not be able to take a plugin out for all others by mail that it fails on. So a
//! client counts once, however often it makes the plugin fail, for as long as the plugin works for
//! other clients at the same event.

mod circuit;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::circuit::Circuit;
use crate::config::sidecar::{BreakerRules, Event};

/// The breaker of one plugin, shared by all sessions.
#[derive(Debug)]
pub struct Breaker {
    circuit: Mutex<Circuit>,
    /// Whether there is anything to remember: while a plugin works, no call takes the lock.
    is_alert: AtomicBool,
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
pub struct Call {
    /// What the plugin was asked about.
    pub event: Event,
    /// For which client.
    pub client: IpAddr,
    /// The right by which a plugin was asked that is taken out.
    pub trial: Option<Trial>,
}

impl Breaker {
    /// Closed.
    pub fn new(rules: BreakerRules) -> Self {
        Self {
            circuit: Mutex::new(Circuit::new(rules)),
            is_alert: AtomicBool::new(false),
        }
    }

    /// Whether the plugin is taken out.
    pub fn is_open(&self) -> bool {
        self.is_alert.load(Ordering::Relaxed) && self.circuit().is_open()
    }

    /// Asks whether a session may ask the plugin now.
    pub fn enter(&self, trial: Option<Trial>, now: Instant) -> Entry {
        match self.is_alert.load(Ordering::Relaxed) {
            true => self.circuit().enter(trial, now),
            false => Entry::Run,
        }
    }

    /// The plugin has answered.
    pub fn succeeded(&self, call: Call, now: Instant) -> Option<Change> {
        if !self.is_alert.load(Ordering::Relaxed) {
            return None;
        }
        let mut circuit = self.circuit();
        let change = circuit.succeeded(call, now);
        self.is_alert
            .store(circuit.is_alert(now), Ordering::Relaxed);
        change
    }

    /// The plugin has failed.
    pub fn failed(&self, call: Call, now: Instant) -> Option<Change> {
        let mut circuit = self.circuit();
        let change = circuit.failed(call, now);
        self.is_alert
            .store(circuit.is_alert(now), Ordering::Relaxed);
        change
    }

    /// The session that was to try the plugin is over, and has not come to where it had failed.
    pub fn abandoned(&self, trial: Trial, now: Instant) {
        self.circuit().abandoned(trial, now);
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        // Each change of a circuit is whole: nothing in them can panic half-way.
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
