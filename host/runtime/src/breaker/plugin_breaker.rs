//! The breaker of one plugin: the state machine behind a lock that successful calls do not take.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::call::{Admission, CallInfo, Probe, Transition};
use super::recent_clients::RecentClients;
use super::state_machine::StateMachine;
use postgate_contract::BreakerRules;
use postgate_proto::network::client_network;

/// The breaker of one plugin, shared by all sessions.
#[derive(Debug)]
pub struct Breaker {
    state: Mutex<StateMachine>,
    /// A copy of [`StateMachine::is_open`]: while the breaker is closed, successful calls read this and
    /// do not take the lock.
    is_open: AtomicBool,
    /// The clients for whom the plugin has answered.
    answered: RecentClients,
}

impl Breaker {
    /// Creates a closed breaker.
    pub fn new(rules: BreakerRules) -> Self {
        Self {
            answered: RecentClients::new(rules.window),
            state: Mutex::new(StateMachine::new(rules)),
            is_open: AtomicBool::new(false),
        }
    }

    /// True while the plugin is taken out, which includes the time in which it is probed.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Decides if a session of this client may ask the plugin now. `probe` is the permission that the
    /// session already has.
    pub fn admit(&self, probe: Option<Probe>, client: IpAddr, now: Instant) -> Admission {
        match self.is_open() {
            true => self.state().admit(probe, client_network(client), now),
            false => Admission::Allow,
        }
    }

    /// Records that the plugin has answered.
    pub fn record_success(&self, call: CallInfo<'_>, now: Instant) -> Option<Transition> {
        if let Some(event) = call.event {
            self.answered
                .record(event, client_network(call.client), now);
        }
        match self.is_open() {
            true => self.update(|state| state.record_success(call, now)),
            false => None,
        }
    }

    /// Records that the plugin has failed.
    pub fn record_failure(&self, call: CallInfo<'_>, now: Instant) -> Option<Transition> {
        let client = client_network(call.client);
        let works_for_others = call
            .event
            .is_some_and(|event| self.answered.has_others(event, client, now));
        self.update(|state| state.record_failure(call, client, works_for_others, now))
    }

    /// Takes back the permission of a session that has ended, or that will not ask the plugin again.
    pub fn end_probe(&self, probe: Probe, now: Instant) -> Option<Transition> {
        self.update(|state| state.end_probe(probe, now))
    }

    fn update(
        &self,
        update: impl FnOnce(&mut StateMachine) -> Option<Transition>,
    ) -> Option<Transition> {
        let mut state = self.state();
        let transition = update(&mut state);
        self.is_open.store(state.is_open(), Ordering::Relaxed);
        transition
    }

    fn state(&self) -> MutexGuard<'_, StateMachine> {
        // A poisoned lock is usable: no change of the state machine can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
