//! The states of a breaker: closed, open, half-open. The caller passes the time in.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::call::{Admission, CallInfo, Probe, Transition};
use postgate_contract::{BreakerRules, Event};

#[derive(Debug)]
pub(super) struct StateMachine {
    rules: BreakerRules,
    state: State,
    /// The sessions with recent failures, at most [`BreakerRules::failures`] of them.
    failures: VecDeque<SessionFailures>,
    /// How often the breaker opened without having been closed for a whole window in between. Each
    /// level doubles the back-off.
    level: u32,
    closed_at: Option<Instant>,
    /// The number of probes so far, which is also the number of the latest one.
    probes: u64,
}

/// The failures of one session at one event.
#[derive(Debug)]
struct SessionFailures {
    /// The event, or `None` if no instance could be made.
    event: Option<Event>,
    client: IpAddr,
    session: Box<str>,
    count: u32,
    since: Instant,
    last: Instant,
}

#[derive(Debug)]
enum State {
    Closed,
    Open(Outage),
    /// One session probes the plugin. It has time until [`Outage::until`]; then another one may.
    HalfOpen {
        outage: Outage,
        probe: Probe,
        /// True if the plugin has answered that session, at any event.
        has_answered: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct Outage {
    /// The event of the last failure, or `None` if no instance could be made.
    cause: Option<Event>,
    /// The client of the last failure.
    client: IpAddr,
    until: Instant,
}

impl StateMachine {
    pub(super) const fn new(rules: BreakerRules) -> Self {
        Self {
            rules,
            state: State::Closed,
            failures: VecDeque::new(),
            level: 0,
            closed_at: None,
            probes: 0,
        }
    }

    /// True if nobody, or only the session that probes, may ask the plugin.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    pub(super) fn admit(
        &mut self,
        probe: Option<Probe>,
        client: IpAddr,
        now: Instant,
    ) -> Admission {
        let outage = match &self.state {
            State::Closed => return Admission::Allow,
            State::HalfOpen { probe: current, .. } if probe == Some(*current) => {
                return Admission::Allow;
            }
            State::HalfOpen { outage, .. } | State::Open(outage) => *outage,
        };
        // The client of the last failure could make the plugin fail again, and so keep it out for ever
        // longer. Other clients get to probe first.
        let from = match client == outage.client {
            true => outage.until + self.back_off(),
            false => outage.until,
        };
        if now < from {
            return Admission::Reject;
        }
        self.probes += 1;
        let probe = Probe(self.probes);
        self.state = State::HalfOpen {
            outage: Outage {
                until: now + self.back_off(),
                ..outage
            },
            probe,
            has_answered: false,
        };
        Admission::Probe(probe)
    }

    pub(super) fn record_success(
        &mut self,
        call: CallInfo<'_>,
        now: Instant,
    ) -> Option<Transition> {
        match &mut self.state {
            State::HalfOpen {
                outage,
                probe,
                has_answered,
            } if call.probe == Some(*probe) => {
                *has_answered = true;
                let is_recovered = outage.cause.is_none() || outage.cause == call.event;
                is_recovered.then(|| self.close(now))
            }
            State::Closed | State::HalfOpen { .. } | State::Open(_) => None,
        }
    }

    pub(super) fn record_failure(
        &mut self,
        call: CallInfo<'_>,
        client: IpAddr,
        works_for_others: bool,
        now: Instant,
    ) -> Option<Transition> {
        match &self.state {
            State::Closed => {
                if self.rules.failures == 0 {
                    return None;
                }
                self.count_failure(call, client, now);
                if self.weight(call.event, works_for_others) < u64::from(self.rules.failures) {
                    return None;
                }
                let was_closed_for_long = self
                    .closed_at
                    .is_none_or(|closed| now.duration_since(closed) > self.rules.window);
                self.level = match was_closed_for_long {
                    true => 0,
                    false => self.level.saturating_add(1),
                };
                Some(self.open(call.event, client, now))
            }
            State::HalfOpen { probe, .. } if call.probe == Some(*probe) => {
                self.level = self.level.saturating_add(1);
                Some(self.open(call.event, client, now))
            }
            // The call began before the breaker opened, or the probe took too long.
            State::HalfOpen { .. } | State::Open(_) => None,
        }
    }

    /// The session that probes the plugin has ended. It may not have reached the event of the failure,
    /// which can be one that few sessions reach: a whole session without a failure is accepted as proof
    /// that the plugin works.
    pub(super) fn end_probe(&mut self, ended: Probe, now: Instant) -> Option<Transition> {
        match self.state {
            State::HalfOpen {
                probe,
                has_answered: true,
                ..
            } if probe == ended => Some(self.close(now)),
            State::HalfOpen { probe, outage, .. } if probe == ended => {
                self.state = State::Open(Outage {
                    until: now,
                    ..outage
                });
                None
            }
            _ => None,
        }
    }

    const fn close(&mut self, now: Instant) -> Transition {
        self.state = State::Closed;
        self.closed_at = Some(now);
        Transition::Closed
    }

    fn open(&mut self, cause: Option<Event>, client: IpAddr, now: Instant) -> Transition {
        let back_off = self.back_off();
        self.state = State::Open(Outage {
            cause,
            client,
            until: now + back_off,
        });
        self.failures.clear();
        Transition::Opened(back_off)
    }

    fn back_off(&self) -> Duration {
        let times = 1_u32.checked_shl(self.level).unwrap_or(u32::MAX);
        let back_off = self.rules.back_off.saturating_mul(times);
        back_off.min(self.rules.max_back_off)
    }

    fn count_failure(&mut self, call: CallInfo<'_>, client: IpAddr, now: Instant) {
        let window = self.rules.window;
        let is_recent = |at: Instant| now.saturating_duration_since(at) <= window;
        self.failures.retain(|failures| is_recent(failures.last));
        let of_client =
            |failures: &SessionFailures| failures.event == call.event && failures.client == client;
        let mut known = self.failures.iter_mut();
        if let Some(known) =
            known.find(|failures| of_client(failures) && *failures.session == *call.session)
        {
            if !is_recent(known.since) {
                known.since = now;
                known.count = 0;
            }
            known.count = known.count.saturating_add(1);
            known.last = now;
            return;
        }
        if self.failures.len() >= self.rules.failures as usize {
            let own = self.failures.iter().position(of_client);
            let index = own.or_else(|| self.repeated_client()).unwrap_or_default();
            self.failures.remove(index);
        }
        self.failures.push_back(SessionFailures {
            event: call.event,
            client,
            session: call.session.into(),
            count: 1,
            since: now,
            last: now,
        });
    }

    /// Returns the index of an entry whose client has an older one at the same event: a client with many
    /// sessions must not push the failures of others out of the list.
    fn repeated_client(&self) -> Option<usize> {
        let mut seen = HashSet::new();
        let mut failures = self.failures.iter();
        failures.rposition(|failures| {
            let new = (failures.event.map(Event::name), failures.client);
            !seen.insert(new)
        })
    }

    /// Returns the weight of the failures at an event, which opens the breaker at
    /// [`BreakerRules::failures`].
    fn weight(&self, event: Option<Event>, works_for_others: bool) -> u64 {
        let of_event = self
            .failures
            .iter()
            .filter(|failures| failures.event == event);
        match (event, works_for_others) {
            (None, _) => of_event.map(|failures| u64::from(failures.count)).sum(),
            (Some(_), true) => {
                let clients: HashSet<_> = of_event.map(|failures| failures.client).collect();
                clients.len() as u64
            }
            (Some(_), false) => of_event
                .map(|failures| u64::from(failures.count.div_ceil(self.rules.failures)))
                .sum(),
        }
    }
}
