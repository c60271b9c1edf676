//! Breakers by the clock of the tests: each line of a table is a second and what happens then.

use self::Act::{
    Again, AgainOpens, Fail, Opens, Out, OutFor, Runs, Try, TryEnds, TryFails, TryFor, TryGoesOn,
    TryLeaves, TryWorks, Works,
};
use super::super::{Breaker, network};
use super::*;

/// What happens to a breaker that opens at three failures within 60 s, for 10 s at first and 40 s at
/// most, and what comes of it.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A client's call fails, in a session of its own.
    Fail(u8),
    /// The same, and the breaker opens for so many seconds.
    Opens(u8, u64),
    /// A client's call fails, always in the same session.
    Again(u8),
    /// The same, and the breaker opens for so many seconds.
    AgainOpens(u8, u64),
    /// A client's call succeeds.
    Works(u8),
    /// A session asks, and may.
    Runs,
    /// A session asks, and may not.
    Out,
    /// A session of this client asks, and may not.
    OutFor(u8),
    /// A session asks, and is the one to try it. It keeps the right for what follows.
    Try,
    /// The same of this client.
    TryFor(u8),
    /// The session that tries it fails, and the breaker opens for so many seconds.
    TryFails(u64),
    /// The session that tries it has an answer at another event than the one that failed.
    TryGoesOn,
    /// The session that tries it has an answer, and the breaker closes.
    TryWorks,
    /// The session that tries it goes away, and another one has to.
    TryLeaves,
    /// The session that tries it is over, and the breaker closes.
    TryEnds,
}

/// A client of whom nothing is known.
const STRANGER: u8 = 99;

fn address(client: u8) -> IpAddr {
    [192, 0, 2, client].into()
}

fn play(rules: BreakerRules, acts: &[(u64, Act)]) {
    let start = Instant::now();
    let breaker = Breaker::new(rules);
    let mut trial = None;
    for (line, (second, act)) in acts.iter().enumerate() {
        let now = start + Duration::from_secs(*second);
        let at = format!("line {line}: {act:?}");
        let opened = |seconds| Some(Change::Opened(Duration::from_secs(seconds)));
        let call = |event, client, trial| Call {
            event: Some(event),
            client: address(client),
            session: &at,
            trial,
        };
        let again = |client| Call {
            session: "the same",
            ..call(Event::Rcpt, client, None)
        };
        let fails = |call| breaker.failed(call, now);
        let works = |call| breaker.succeeded(call, now);
        let mut enter = |client| match breaker.enter(None, address(client), now) {
            Entry::Try(right) => {
                trial = Some(right);
                "try"
            }
            Entry::Run => "run",
            Entry::Out => "out",
        };
        match *act {
            Runs => assert_eq!(enter(STRANGER), "run", "{at}"),
            Out => assert_eq!(enter(STRANGER), "out", "{at}"),
            OutFor(client) => assert_eq!(enter(client), "out", "{at}"),
            Try => assert_eq!(enter(STRANGER), "try", "{at}"),
            TryFor(client) => assert_eq!(enter(client), "try", "{at}"),
            Fail(client) => assert_eq!(fails(call(Event::Rcpt, client, None)), None, "{at}"),
            Opens(client, seconds) => {
                let change = fails(call(Event::Rcpt, client, None));
                assert_eq!(change, opened(seconds), "{at}");
            }
            Again(client) => assert_eq!(fails(again(client)), None, "{at}"),
            AgainOpens(client, seconds) => {
                assert_eq!(fails(again(client)), opened(seconds), "{at}");
            }
            Works(client) => assert_eq!(works(call(Event::Rcpt, client, None)), None, "{at}"),
            TryFails(seconds) => {
                assert_eq!(breaker.enter(trial, address(1), now), Entry::Run, "{at}");
                assert_eq!(fails(call(Event::Rcpt, 1, trial)), opened(seconds), "{at}");
            }
            TryGoesOn => {
                assert_eq!(breaker.enter(trial, address(1), now), Entry::Run, "{at}");
                assert_eq!(works(call(Event::Mail, STRANGER, trial)), None, "{at}");
            }
            TryWorks => {
                let change = works(call(Event::Rcpt, STRANGER, trial));
                assert_eq!(change, Some(Change::Closed), "{at}");
            }
            TryLeaves => assert_eq!(breaker.over(trial.unwrap(), now), None, "{at}"),
            TryEnds => {
                let change = breaker.over(trial.unwrap(), now);
                assert_eq!(change, Some(Change::Closed), "{at}");
            }
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
fn a_burst_in_one_session_is_one_failure() {
    let burst = [(0, Again(1)); 6];
    // Whether or not it has worked for others yet.
    play(rules(3), &[&burst[..], &[(0, Runs)]].concat());
    // A session that goes on failing is taken for what it looks like, where nobody else says better.
    play(rules(3), &[&burst[..], &[(1, AgainOpens(1, 10))]].concat());
    let much: Vec<_> = [(0, Works(2))]
        .into_iter()
        .chain([(0, Again(1)); 50])
        .collect();
    play(rules(3), &much);
    // What was long ago does not count.
    play(
        rules(3),
        &[&burst[..], &[(30, Again(1)), (61, Again(1))]].concat()[1..],
    );
}

#[test]
fn a_client_with_many_sessions_does_not_hide_the_others() {
    play(
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
fn all_of_a_session_without_a_failure_shows_that_it_works() {
    play(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (10, Try),
            (11, TryGoesOn),
            (12, TryEnds),
            (12, Runs),
            // It is remembered how bad it was.
            (13, Opens(1, 20)),
        ],
    );
}

#[test]
fn who_made_it_fail_tries_it_only_where_nobody_else_comes() {
    play(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (10, OutFor(1)),
            (19, OutFor(1)),
            (20, TryFor(1)),
        ],
    );
    play(
        rules(1),
        &[
            (0, Opens(1, 10)),
            (10, OutFor(1)),
            (11, TryFor(2)),
            (11, OutFor(1)),
        ],
    );
}

#[test]
fn an_event_that_works_does_not_excuse_another() {
    let breaker = Breaker::new(rules(2));
    let now = Instant::now();
    let call = |event, client, session| Call {
        event: Some(event),
        client: address(client),
        session,
        trial: None,
    };
    assert_eq!(breaker.failed(call(Event::Message, 1, "a"), now), None);
    assert_eq!(breaker.succeeded(call(Event::Rcpt, 2, "b"), now), None);
    let change = breaker.failed(call(Event::Message, 1, "c"), now);
    assert_eq!(change, Some(Change::Opened(Duration::from_secs(10))));
}

#[test]
fn an_instance_that_can_not_be_made_counts_each_time() {
    let breaker = Breaker::new(rules(3));
    let now = Instant::now();
    let call = |event, trial| Call {
        event,
        client: address(1),
        session: "a",
        trial,
    };
    breaker.succeeded(call(Some(Event::Rcpt), None), now);
    assert_eq!(breaker.failed(call(None, None), now), None);
    assert_eq!(breaker.failed(call(None, None), now), None);
    let change = breaker.failed(call(None, None), now);
    assert_eq!(change, Some(Change::Opened(Duration::from_secs(10))));
    // One that answers was made.
    let later = now + Duration::from_secs(10);
    let Entry::Try(trial) = breaker.enter(None, address(2), later) else {
        panic!("it is not tried");
    };
    let change = breaker.succeeded(call(Some(Event::Connect), Some(trial)), later);
    assert_eq!(change, Some(Change::Closed));
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
