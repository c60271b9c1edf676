//! The states of a breaker. Time is passed in.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Call, Change, Entry, Trial};
use postgate_contract::{BreakerRules, Event};

#[derive(Debug)]
pub(super) struct Circuit {
    rules: BreakerRules,
    state: State,
    /// The sessions that have failed lately, at most as many as open the breaker.
    failures: VecDeque<Failures>,
    /// How often it was opened without having been closed for a window in between.
    level: u32,
    closed_at: Option<Instant>,
    trials: u64,
}

/// What a session has failed at: an event, or nothing where no instance could be made.
#[derive(Debug)]
struct Failures {
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
    /// One session has until then to show that the plugin works.
    HalfOpen {
        outage: Outage,
        trial: Trial,
        /// Whether it has had an answer, to whatever question.
        has_answer: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct Outage {
    /// At what the plugin failed last.
    cause: Option<Event>,
    /// For which client.
    client: IpAddr,
    until: Instant,
}

impl Circuit {
    pub(super) const fn new(rules: BreakerRules) -> Self {
        Self {
            rules,
            state: State::Closed,
            failures: VecDeque::new(),
            level: 0,
            closed_at: None,
            trials: 0,
        }
    }

    /// Whether nobody, or one session at most, may ask the plugin.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    pub(super) fn enter(&mut self, trial: Option<Trial>, client: IpAddr, now: Instant) -> Entry {
        let outage = match &self.state {
            State::Closed => return Entry::Run,
            State::HalfOpen { trial: current, .. } if trial == Some(*current) => return Entry::Run,
            State::HalfOpen { outage, .. } | State::Open(outage) => *outage,
        };
        // Who has made it fail could do so again, and keep it out for ever longer. Others go first,
        // where there are any.
        let from = match client == outage.client {
            true => outage.until + self.back_off(),
            false => outage.until,
        };
        if now < from {
            return Entry::Out;
        }
        self.trials += 1;
        let trial = Trial(self.trials);
        self.state = State::HalfOpen {
            outage: Outage {
                until: now + self.back_off(),
                ..outage
            },
            trial,
            has_answer: false,
        };
        Entry::Try(trial)
    }

    pub(super) fn succeeded(&mut self, call: Call<'_>, now: Instant) -> Option<Change> {
        match &mut self.state {
            State::HalfOpen {
                outage,
                trial,
                has_answer,
            } if call.trial == Some(*trial) => {
                *has_answer = true;
                let has_shown_it = outage.cause.is_none() || outage.cause == call.event;
                has_shown_it.then(|| self.close(now))
            }
            State::Closed | State::HalfOpen { .. } | State::Open(_) => None,
        }
    }

    pub(super) fn failed(
        &mut self,
        call: Call<'_>,
        client: IpAddr,
        works_for_others: bool,
        now: Instant,
    ) -> Option<Change> {
        match &self.state {
            State::Closed => {
                if self.rules.failures == 0 {
                    return None;
                }
                self.note_failure(call, client, now);
                if self.count(call.event, works_for_others) < u64::from(self.rules.failures) {
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
            State::HalfOpen { trial, .. } if call.trial == Some(*trial) => {
                self.level = self.level.saturating_add(1);
                Some(self.open(call.event, client, now))
            }
            // It was asked before the breaker opened, or has taken too long to try.
            State::HalfOpen { .. } | State::Open(_) => None,
        }
    }

    /// The session that was to try the plugin is over. It may not have come to where the plugin had
    /// failed, where few sessions ever come: all of a session without a failure shows as much.
    pub(super) fn over(&mut self, over: Trial, now: Instant) -> Option<Change> {
        match self.state {
            State::HalfOpen {
                trial,
                has_answer: true,
                ..
            } if trial == over => Some(self.close(now)),
            State::HalfOpen { trial, outage, .. } if trial == over => {
                self.state = State::Open(Outage {
                    until: now,
                    ..outage
                });
                None
            }
            _ => None,
        }
    }

    const fn close(&mut self, now: Instant) -> Change {
        self.state = State::Closed;
        self.closed_at = Some(now);
        Change::Closed
    }

    fn open(&mut self, cause: Option<Event>, client: IpAddr, now: Instant) -> Change {
        let back_off = self.back_off();
        self.state = State::Open(Outage {
            cause,
            client,
            until: now + back_off,
        });
        self.failures.clear();
        Change::Opened(back_off)
    }

    fn back_off(&self) -> Duration {
        let times = 1_u32.checked_shl(self.level).unwrap_or(u32::MAX);
        let back_off = self.rules.back_off.saturating_mul(times);
        back_off.min(self.rules.max_back_off)
    }

    fn note_failure(&mut self, call: Call<'_>, client: IpAddr, now: Instant) {
        let window = self.rules.window;
        let is_recent = |at: Instant| now.saturating_duration_since(at) <= window;
        self.failures.retain(|failures| is_recent(failures.last));
        let of_client =
            |failures: &Failures| failures.event == call.event && failures.client == client;
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
            let index = own.or_else(|| self.repeated()).unwrap_or_default();
            self.failures.remove(index);
        }
        self.failures.push_back(Failures {
            event: call.event,
            client,
            session: call.session.into(),
            count: 1,
            since: now,
            last: now,
        });
    }

    /// The session of a client who has another one: who comes with many sessions must not make those
    /// of others forgotten.
    fn repeated(&self) -> Option<usize> {
        let mut seen = HashSet::new();
        let mut failures = self.failures.iter();
        failures.rposition(|failures| {
            let new = (failures.event.map(Event::name), failures.client);
            !seen.insert(new)
        })
    }

    /// How much the failures at an event count.
    fn count(&self, event: Option<Event>, works_for_others: bool) -> u64 {
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

#[cfg(test)]
mod tests;
