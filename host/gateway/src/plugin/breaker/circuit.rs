//! The states of a breaker. Time is passed in.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::{Call, Change, Entry, Trial};
use crate::config::sidecar::{BreakerRules, Event};

#[derive(Debug)]
pub(super) struct Circuit {
    rules: BreakerRules,
    state: State,
    /// The last failures, at most as many as open the breaker.
    failures: VecDeque<Instant>,
    /// The last failure of each client, at most as many as open the breaker.
    clients: Vec<(IpAddr, Instant)>,
    /// Whom the plugin has worked for since it first failed, at most two clients an event.
    served: Vec<(Event, IpAddr, Instant)>,
    /// How often it was opened without having been closed for a window in between.
    level: u32,
    closed_at: Option<Instant>,
    trials: u64,
}

#[derive(Debug)]
enum State {
    Closed,
    /// `cause` is the event at which the plugin failed last.
    Open {
        cause: Event,
        until: Instant,
    },
    /// One session has until then to show that the plugin works.
    HalfOpen {
        cause: Event,
        trial: Trial,
        until: Instant,
    },
}

impl Circuit {
    pub(super) const fn new(rules: BreakerRules) -> Self {
        Self {
            rules,
            state: State::Closed,
            failures: VecDeque::new(),
            clients: Vec::new(),
            served: Vec::new(),
            level: 0,
            closed_at: None,
            trials: 0,
        }
    }

    /// Whether nobody, or one session at most, may ask the plugin.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    /// Whether calls can change anything but by failing.
    pub(super) fn is_alert(&self, now: Instant) -> bool {
        self.is_open()
            || self
                .failures
                .back()
                .is_some_and(|last| self.is_recent(*last, now))
    }

    pub(super) fn enter(&mut self, trial: Option<Trial>, now: Instant) -> Entry {
        let (cause, until) = match &self.state {
            State::Closed => return Entry::Run,
            State::HalfOpen { trial: current, .. } if trial == Some(*current) => return Entry::Run,
            State::HalfOpen { cause, until, .. } | State::Open { cause, until } => (*cause, *until),
        };
        if now < until {
            return Entry::Out;
        }
        self.trials += 1;
        let trial = Trial(self.trials);
        self.state = State::HalfOpen {
            cause,
            trial,
            until: now + self.back_off(),
        };
        Entry::Try(trial)
    }

    pub(super) fn succeeded(&mut self, call: Call, now: Instant) -> Option<Change> {
        match &self.state {
            State::Closed => {
                self.note_served(call, now);
                None
            }
            State::HalfOpen { cause, trial, .. }
                if call.trial == Some(*trial) && call.event == *cause =>
            {
                self.state = State::Closed;
                self.closed_at = Some(now);
                Some(Change::Closed)
            }
            State::HalfOpen { .. } | State::Open { .. } => None,
        }
    }

    pub(super) fn failed(&mut self, call: Call, now: Instant) -> Option<Change> {
        match &self.state {
            State::Closed => {
                let client = network(call.client);
                self.note_failure(client, now);
                let works_for_others = self.served.iter().any(|(event, served, at)| {
                    *event == call.event && *served != client && self.is_recent(*at, now)
                });
                let count = match works_for_others {
                    true => self.clients.len(),
                    false => self.failures.len(),
                };
                if self.rules.failures == 0 || count < self.rules.failures as usize {
                    return None;
                }
                let was_closed_for_long = self
                    .closed_at
                    .is_none_or(|closed| now.duration_since(closed) > self.rules.window);
                self.level = match was_closed_for_long {
                    true => 0,
                    false => self.level.saturating_add(1),
                };
                Some(self.open(call.event, now))
            }
            State::HalfOpen { trial, .. } if call.trial == Some(*trial) => {
                self.level = self.level.saturating_add(1);
                Some(self.open(call.event, now))
            }
            // It was asked before the breaker opened, or has taken too long to try.
            State::HalfOpen { .. } | State::Open { .. } => None,
        }
    }

    pub(super) fn abandoned(&mut self, over: Trial, now: Instant) {
        if let State::HalfOpen { cause, trial, .. } = self.state
            && trial == over
        {
            self.state = State::Open { cause, until: now };
        }
    }

    fn open(&mut self, cause: Event, now: Instant) -> Change {
        let back_off = self.back_off();
        self.state = State::Open {
            cause,
            until: now + back_off,
        };
        self.failures.clear();
        self.clients.clear();
        self.served.clear();
        Change::Opened(back_off)
    }

    fn back_off(&self) -> Duration {
        let times = 1_u32.checked_shl(self.level).unwrap_or(u32::MAX);
        let back_off = self.rules.back_off.saturating_mul(times);
        back_off.min(self.rules.max_back_off)
    }

    fn is_recent(&self, at: Instant, now: Instant) -> bool {
        now.saturating_duration_since(at) <= self.rules.window
    }

    fn note_failure(&mut self, client: IpAddr, now: Instant) {
        let most = self.rules.failures as usize;
        let window = self.rules.window;
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) <= window;
        self.failures.retain(is_recent);
        if self.failures.len() >= most {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        self.clients
            .retain(|(known, at)| *known != client && is_recent(at));
        self.clients.push((client, now));
    }

    /// Two clients an event are enough to find one that is another than any given one.
    fn note_served(&mut self, call: Call, now: Instant) {
        let client = network(call.client);
        let of_event = |(event, _, _): &&mut (Event, IpAddr, Instant)| *event == call.event;
        let mut known = self.served.iter_mut().filter(of_event);
        match (known.next(), known.next()) {
            (Some(first), _) if first.1 == client => first.2 = now,
            (_, Some(second)) => *second = (call.event, client, now),
            (_, None) => self.served.push((call.event, client, now)),
        }
    }
}

/// One client of IPv6 has a network of 64 bits to itself.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

#[cfg(test)]
mod tests;
