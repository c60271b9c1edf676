//! Breakers by the clock of the tests: each line of a table is a second and what happens then.

use self::Act::{Fail, Opens, Out, Runs, Try, TryFails, TryGoesOn, TryLeaves, TryWorks, Works};
use super::*;

/// What happens to a breaker that opens at three failures within 60 s, for 10 s at first and 40 s at
/// most, and what comes of it.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A client's call fails.
    Fail(u8),
    /// The same, and the breaker opens for so many seconds.
    Opens(u8, u64),
    /// A client's call succeeds.
    Works(u8),
    /// A session asks, and may.
    Runs,
    /// A session asks, and may not.
    Out,
    /// A session asks, and is the one to try it. It keeps the right for what follows.
    Try,
    /// The session that tries it fails, and the breaker opens for so many seconds.
    TryFails(u64),
    /// The session that tries it has an answer at another event than the one that failed.
    TryGoesOn,
    /// The session that tries it has an answer, and the breaker closes.
    TryWorks,
    /// The session that tries it goes away.
    TryLeaves,
}

fn play(rules: BreakerRules, acts: &[(u64, Act)]) {
    let start = Instant::now();
    let mut circuit = Circuit::new(rules);
    let mut trial = None;
    for (line, (second, act)) in acts.iter().enumerate() {
        let now = start + Duration::from_secs(*second);
        let call = |client: u8, event, trial| Call {
            event,
            client: [192, 0, 2, client].into(),
            trial,
        };
        let at = format!("line {line}: {act:?}");
        match *act {
            Fail(client) => {
                assert_eq!(
                    circuit.failed(call(client, Event::Rcpt, None), now),
                    None,
                    "{at}"
                );
            }
            Opens(client, seconds) => {
                let opened = Some(Change::Opened(Duration::from_secs(seconds)));
                let change = circuit.failed(call(client, Event::Rcpt, None), now);
                assert_eq!(change, opened, "{at}");
            }
            Works(client) => {
                let change = circuit.succeeded(call(client, Event::Rcpt, None), now);
                assert_eq!(change, None, "{at}");
            }
            Runs => assert_eq!(circuit.enter(None, now), Entry::Run, "{at}"),
            Out => assert_eq!(circuit.enter(None, now), Entry::Out, "{at}"),
            Try => match circuit.enter(None, now) {
                Entry::Try(right) => trial = Some(right),
                other => panic!("{at}: {other:?}"),
            },
            TryFails(seconds) => {
                assert_eq!(circuit.enter(trial, now), Entry::Run, "{at}");
                let opened = Some(Change::Opened(Duration::from_secs(seconds)));
                let change = circuit.failed(call(1, Event::Rcpt, trial), now);
                assert_eq!(change, opened, "{at}");
            }
            TryGoesOn => {
                assert_eq!(circuit.enter(trial, now), Entry::Run, "{at}");
                let change = circuit.succeeded(call(1, Event::Mail, trial), now);
                assert_eq!(change, None, "{at}");
            }
            TryWorks => {
                let change = circuit.succeeded(call(1, Event::Rcpt, trial), now);
                assert_eq!(change, Some(Change::Closed), "{at}");
            }
            TryLeaves => circuit.abandoned(trial.unwrap(), now),
        }
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
    play(
        rules(3),
        &[
            (0, Fail(1)),
            (1, Fail(1)),
            (1, Runs),
            (2, Opens(1, 10)),
            (2, Out),
            (11, Out),
        ],
    );
    // The first is forgotten when the third comes.
    play(
        rules(3),
        &[
            (0, Fail(1)),
            (30, Fail(1)),
            (61, Fail(1)),
            (61, Runs),
            (62, Opens(1, 10)),
        ],
    );
    play(rules(1), &[(0, Opens(1, 10))]);
}

#[test]
fn it_can_be_off() {
    let failures: Vec<_> = (0..100).map(|second| (second, Fail(1))).collect();
    play(rules(0), &failures);
}

#[test]
fn one_session_tries_it_after_the_back_off() {
    play(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (9, Out),
            (10, Try),
            (10, Out),
            (11, TryGoesOn),
            (11, Out),
            (12, TryWorks),
            (12, Runs),
        ],
    );
}

#[test]
fn the_back_off_doubles_up_to_a_cap() {
    play(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (10, Try),
            (11, TryFails(20)),
            (30, Out),
            (31, Try),
            (31, TryFails(40)),
            (71, Try),
            (71, TryFails(40)),
            (111, Try),
            (111, TryWorks),
            // Soon after it was closed, it is as bad as before.
            (112, Opens(1, 40)),
            (152, Try),
            (152, TryWorks),
            // Long after it was closed, this is a new story.
            (213, Opens(1, 10)),
        ],
    );
}

#[test]
fn who_leaves_or_sleeps_gives_the_right_to_another() {
    play(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (10, Try),
            (11, TryLeaves),
            (11, Try),
            (20, Out),
            // Its time was as long as the back-off.
            (21, Try),
            (21, TryWorks),
        ],
    );
}

#[test]
fn a_late_failure_changes_nothing() {
    play(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (1, Fail(2)),
            (10, Try),
            (10, Fail(2)),
            (11, TryWorks),
        ],
    );
}

#[test]
fn one_client_alone_can_not_take_out_what_works_for_others() {
    let one = [(0, Works(2)), (0, Fail(1)), (0, Works(2))];
    let many: Vec<_> = (1..50).map(|second| (second, Fail(1))).collect();
    play(rules(3), &[&one[..], &many].concat());
    // Several can.
    play(
        rules(3),
        &[
            (0, Fail(1)),
            (0, Works(9)),
            (0, Fail(2)),
            (0, Fail(2)),
            (1, Opens(3, 10)),
        ],
    );
    // What works for nobody else does not work.
    play(
        rules(3),
        &[(0, Fail(1)), (0, Works(1)), (0, Fail(1)), (1, Opens(1, 10))],
    );
    // Nor does what has not worked for others for long.
    play(
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
fn an_event_that_works_does_not_excuse_another() {
    let mut circuit = Circuit::new(rules(2));
    let now = Instant::now();
    let call = |event, client: u8| Call {
        event,
        client: [192, 0, 2, client].into(),
        trial: None,
    };
    assert_eq!(circuit.failed(call(Event::Message, 1), now), None);
    assert_eq!(circuit.succeeded(call(Event::Rcpt, 2), now), None);
    let change = circuit.failed(call(Event::Message, 1), now);
    assert_eq!(change, Some(Change::Opened(Duration::from_secs(10))));
}

#[test]
fn it_is_alert_while_there_is_something_to_remember() {
    let mut circuit = Circuit::new(rules(2));
    let now = Instant::now();
    assert!(!circuit.is_alert(now));
    let call = Call {
        event: Event::Rcpt,
        client: [192, 0, 2, 1].into(),
        trial: None,
    };
    circuit.failed(call, now);
    assert!(circuit.is_alert(now));
    assert!(!circuit.is_alert(now + Duration::from_secs(61)));
}

#[test]
fn a_network_of_ipv6_is_one_client() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    assert_eq!(
        network(address("2001:db8::1")),
        network(address("2001:db8::ffff"))
    );
    assert_ne!(
        network(address("2001:db8::1")),
        network(address("2001:db8:0:1::1"))
    );
    assert_ne!(network(address("192.0.2.1")), network(address("192.0.2.2")));
}
