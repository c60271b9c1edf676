//! Breakers driven by a simulated clock. Each row of a table is a second, what happens then, and the
//! expected reaction of the breaker.

use std::time::Duration;

use self::Act::{
    Allowed, Fail, Opens, ProbeContinues, ProbeEnds, ProbeFails, ProbeFor, ProbeLeaves, ProbeWorks,
    Probed, Rejected, RejectedFor, Same, SameOpens, Works,
};
use super::*;
use postgate_contract::Event;

/// What happens to the breaker, with the expected reaction.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A session asks, and is allowed to.
    Allowed,
    /// A call for this client fails, in a session of its own.
    Fail(u8),
    /// As `Fail`, and the breaker opens for this number of seconds.
    Opens(u8, u64),
    /// The plugin answers the session that probes, at another event than the one that failed.
    ProbeContinues,
    /// The session that probes ends, and the breaker closes.
    ProbeEnds,
    /// The call of the session that probes fails, and the breaker opens for this number of seconds.
    ProbeFails(u64),
    /// A session of this client asks, and gets the permission to probe.
    ProbeFor(u8),
    /// The session that probes ends without an answer, so that another one has to probe.
    ProbeLeaves,
    /// The plugin answers the session that probes, and the breaker closes.
    ProbeWorks,
    /// A session asks, and gets the permission to probe, which the rows below use.
    Probed,
    /// A session asks, and is rejected.
    Rejected,
    /// A session of this client asks, and is rejected.
    RejectedFor(u8),
    /// A call for this client fails, always in the same session.
    Same(u8),
    /// As `Same`, and the breaker opens for this number of seconds.
    SameOpens(u8, u64),
    /// A call for this client succeeds.
    Works(u8),
}

/// A client without failures.
const STRANGER: u8 = 99;

fn address(client: u8) -> IpAddr {
    [192, 0, 2, client].into()
}

fn run(rules: BreakerRules, acts: &[(u64, Act)]) {
    let start = Instant::now();
    let mut scenario = Scenario {
        breaker: Breaker::new(rules),
        probe: None,
    };
    for (line, (second, act)) in acts.iter().enumerate() {
        let now = start + Duration::from_secs(*second);
        scenario.apply(*act, &format!("line {line}: {act:?}"), now);
    }
}

struct Scenario {
    breaker: Breaker,
    /// The latest permission to probe.
    probe: Option<Probe>,
}

impl Scenario {
    /// Applies an act. `row` describes it, and names the session of a call.
    fn apply(&mut self, act: Act, row: &str, now: Instant) {
        let opened = |seconds| Some(Transition::Opened(Duration::from_secs(seconds)));
        let call = |client| CallInfo {
            event: Some(Event::Rcpt),
            client: address(client),
            session: row,
            probe: None,
        };
        let same = |client| CallInfo {
            session: "same",
            ..call(client)
        };
        let probing = |client| CallInfo {
            probe: self.probe,
            ..call(client)
        };
        let fail = |call| self.breaker.record_failure(call, now);
        let succeed = |call| self.breaker.record_success(call, now);
        let end = || self.breaker.end_probe(self.probe.unwrap(), now);
        let (transition, expected) = match act {
            Allowed => return assert_eq!(self.admit(STRANGER, now), "allow", "{row}"),
            Probed => return assert_eq!(self.admit(STRANGER, now), "probe", "{row}"),
            ProbeFor(client) => return assert_eq!(self.admit(client, now), "probe", "{row}"),
            Rejected => return assert_eq!(self.admit(STRANGER, now), "reject", "{row}"),
            RejectedFor(client) => return assert_eq!(self.admit(client, now), "reject", "{row}"),
            Fail(client) => (fail(call(client)), None),
            Opens(client, seconds) => (fail(call(client)), opened(seconds)),
            Same(client) => (fail(same(client)), None),
            SameOpens(client, seconds) => (fail(same(client)), opened(seconds)),
            Works(client) => (succeed(call(client)), None),
            ProbeFails(seconds) => {
                self.assert_may_probe(row, now);
                (fail(probing(1)), opened(seconds))
            }
            ProbeContinues => {
                self.assert_may_probe(row, now);
                let other_event = CallInfo {
                    event: Some(Event::Mail),
                    ..probing(STRANGER)
                };
                (succeed(other_event), None)
            }
            ProbeWorks => (succeed(probing(STRANGER)), Some(Transition::Closed)),
            ProbeLeaves => (end(), None),
            ProbeEnds => (end(), Some(Transition::Closed)),
        };
        assert_eq!(transition, expected, "{row}");
    }

    fn admit(&mut self, client: u8, now: Instant) -> &'static str {
        match self.breaker.admit(None, address(client), now) {
            Admission::Allow => "allow",
            Admission::Probe(permission) => {
                self.probe = Some(permission);
                "probe"
            }
            Admission::Reject => "reject",
        }
    }

    /// The session that probes may ask again.
    fn assert_may_probe(&self, row: &str, now: Instant) {
        let admission = self.breaker.admit(self.probe, address(1), now);
        assert_eq!(admission, Admission::Allow, "{row}");
    }
}

fn rules(failures: u32) -> BreakerRules {
    BreakerRules {
        failures,
        window: Duration::from_secs(60),
        back_off: Duration::from_secs(10),
        max_back_off: Duration::from_secs(40),
    }
}

#[test]
fn failures_within_the_window_open_it() {
    run(
        rules(3),
        &[
            (0, Fail(1)),
            (1, Fail(1)),
            (1, Allowed),
            (2, Opens(1, 10)),
            (2, Rejected),
            (11, Rejected),
        ],
    );
    // The first failure is outside the window when the third happens.
    run(
        rules(3),
        &[
            (0, Fail(1)),
            (30, Fail(1)),
            (61, Fail(1)),
            (61, Allowed),
            (62, Opens(1, 10)),
        ],
    );
    run(rules(1), &[(0, Opens(1, 10))]);
}

#[test]
fn it_can_be_off() {
    let failures: Vec<_> = (0..100).map(|second| (second, Fail(1))).collect();
    run(rules(0), &failures);
}

#[test]
fn one_session_probes_after_the_back_off() {
    run(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (9, Rejected),
            (10, Probed),
            (10, Rejected),
            (11, ProbeContinues),
            (11, Rejected),
            (12, ProbeWorks),
            (12, Allowed),
        ],
    );
}

#[test]
fn the_back_off_doubles_up_to_a_cap() {
    run(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (10, Probed),
            (11, ProbeFails(20)),
            (30, Rejected),
            (31, Probed),
            (31, ProbeFails(40)),
            (71, Probed),
            (71, ProbeFails(40)),
            (111, Probed),
            (111, ProbeWorks),
            // Failures soon after closing continue at the previous level.
            (112, Opens(1, 40)),
            (152, Probed),
            (152, ProbeWorks),
            // Failures more than a window after closing start at level 0.
            (213, Opens(1, 10)),
        ],
    );
}

#[test]
fn a_session_that_leaves_or_sleeps_loses_the_permission_to_probe() {
    run(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (10, Probed),
            (11, ProbeLeaves),
            (11, Probed),
            (20, Rejected),
            // A probe may take as long as the back-off.
            (21, Probed),
            (21, ProbeWorks),
        ],
    );
}

#[test]
fn a_late_failure_changes_nothing() {
    run(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (1, Fail(2)),
            (10, Probed),
            (10, Fail(2)),
            (11, ProbeWorks),
        ],
    );
}

#[test]
fn one_client_cannot_open_the_breaker_of_a_plugin_that_works_for_others() {
    let one = [(0, Works(2)), (0, Fail(1)), (0, Works(2))];
    let many: Vec<_> = (1..50).map(|second| (second, Fail(1))).collect();
    run(rules(3), &[&one[..], &many].concat());
    // Several clients can.
    run(
        rules(3),
        &[
            (0, Fail(1)),
            (0, Works(9)),
            (0, Fail(2)),
            (0, Fail(2)),
            (1, Opens(3, 10)),
        ],
    );
    // Success for the same client proves nothing.
    run(
        rules(3),
        &[(0, Fail(1)), (0, Works(1)), (0, Fail(1)), (1, Opens(1, 10))],
    );
    // Nor does success for others outside the window.
    run(
        rules(3),
        &[
            (0, Fail(1)),
            (0, Works(2)),
            (59, Fail(1)),
            (62, Fail(1)),
            (63, Opens(1, 10)),
        ],
    );
}

#[test]
fn a_burst_in_one_session_is_one_failure() {
    let burst = [(0, Same(1)); 6];
    run(rules(3), &[&burst[..], &[(0, Allowed)]].concat());
    // If no other client is served, a session that keeps failing opens the breaker.
    run(rules(3), &[&burst[..], &[(1, SameOpens(1, 10))]].concat());
    let much: Vec<_> = [(0, Works(2))]
        .into_iter()
        .chain([(0, Same(1)); 50])
        .collect();
    run(rules(3), &much);
    // Failures outside the window do not count.
    run(
        rules(3),
        &[&burst[..], &[(30, Same(1)), (61, Same(1))]].concat()[1..],
    );
}

#[test]
fn a_client_with_many_sessions_does_not_hide_the_others() {
    run(
        rules(3),
        &[
            (0, Works(9)),
            (0, Fail(1)),
            (0, Fail(2)),
            (0, Fail(2)),
            (0, Fail(2)),
            (0, Opens(3, 10)),
        ],
    );
}

#[test]
fn a_whole_session_without_a_failure_closes_it() {
    run(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (10, Probed),
            (11, ProbeContinues),
            (12, ProbeEnds),
            (12, Allowed),
            // The level is kept.
            (13, Opens(1, 20)),
        ],
    );
}

#[test]
fn the_client_of_the_failure_probes_only_if_nobody_else_does() {
    run(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (10, RejectedFor(1)),
            (19, RejectedFor(1)),
            (20, ProbeFor(1)),
        ],
    );
    run(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (10, RejectedFor(1)),
            (11, ProbeFor(2)),
            (11, RejectedFor(1)),
        ],
    );
}

#[test]
fn an_event_that_works_does_not_excuse_another() {
    let breaker = Breaker::new(rules(2));
    let now = Instant::now();
    let call = |event, client, session| CallInfo {
        event: Some(event),
        client: address(client),
        session,
        probe: None,
    };
    assert_eq!(
        breaker.record_failure(call(Event::Message, 1, "a"), now),
        None
    );
    assert_eq!(breaker.record_success(call(Event::Rcpt, 2, "b"), now), None);
    let transition = breaker.record_failure(call(Event::Message, 1, "c"), now);
    assert_eq!(
        transition,
        Some(Transition::Opened(Duration::from_secs(10)))
    );
}

#[test]
fn an_instance_that_cannot_be_made_counts_each_time() {
    let breaker = Breaker::new(rules(3));
    let now = Instant::now();
    let call = |event, probe| CallInfo {
        event,
        client: address(1),
        session: "a",
        probe,
    };
    breaker.record_success(call(Some(Event::Rcpt), None), now);
    assert_eq!(breaker.record_failure(call(None, None), now), None);
    assert_eq!(breaker.record_failure(call(None, None), now), None);
    let transition = breaker.record_failure(call(None, None), now);
    assert_eq!(
        transition,
        Some(Transition::Opened(Duration::from_secs(10)))
    );
    // Any answer shows that an instance could be made.
    let later = now + Duration::from_secs(10);
    let Admission::Probe(probe) = breaker.admit(None, address(2), later) else {
        panic!("no probe");
    };
    let transition = breaker.record_success(call(Some(Event::Connect), Some(probe)), later);
    assert_eq!(transition, Some(Transition::Closed));
}

#[test]
fn the_addresses_of_one_ipv6_network_are_one_client() {
    let breaker = Breaker::new(rules(2));
    let now = Instant::now();
    let call = |client: &'static str| CallInfo {
        event: Some(Event::Rcpt),
        client: client.parse().unwrap(),
        session: client,
        probe: None,
    };
    breaker.record_success(call("192.0.2.1"), now);
    for client in ["2001:db8::1", "2001:db8::ffff"] {
        assert_eq!(breaker.record_failure(call(client), now), None, "{client}");
    }
    let transition = breaker.record_failure(call("2001:db8:0:1::1"), now);
    assert!(transition.is_some());
}
