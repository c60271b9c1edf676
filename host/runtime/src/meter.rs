//! How much time on a processor a call has used up: what the guest computes and what the host
//! computes for it, but neither what it waits for nor what other sessions do meanwhile.
//!
//! A call is a future, and a thread works for it only while it is polled. The clock of a thread's
//! own time is what tells work from standing still, and asking the system for it costs as much as a
//! short call does. So a thread asks it at most once a [`FRESH`] when a call begins, and at each
//! interruption of a guest that computes for long.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Runs a call. Whatever runs inside it may ask [`used`].
pub(super) async fn metered<F: Future>(call: F) -> F::Output {
    let mut call = pin!(call);
    let mut used_before = Duration::ZERO;
    poll_fn(|cx| {
        begin(used_before);
        let polled = call.as_mut().poll(cx);
        if polled.is_pending() {
            used_before = used();
        }
        polled
    })
    .await
}

/// What the call that this thread works for has used so far. Accurate to [`FRESH`], and never
/// below the truth by more.
pub(super) fn used() -> Duration {
    let turn = TURN.get();
    let on_the_clock = turn.began.elapsed();
    // Too short to be anything but work, and shorter than an interruption.
    if on_the_clock < FRESH {
        return turn.used_before + on_the_clock;
    }
    let reading = Reading::now();
    let on_the_processor = reading.thread.saturating_sub(turn.reading.thread);
    turn.used_before + on_the_processor.min(on_the_clock)
}

fn begin(used_before: Duration) {
    let began = Instant::now();
    let last = READING.get();
    let reading = match last {
        Some(last) if began.saturating_duration_since(last.at) < FRESH => last,
        _ => Reading::now(),
    };
    READING.set(Some(reading));
    TURN.set(Turn {
        used_before,
        began,
        reading,
    });
}

/// How old a reading of the thread's clock may be.
const FRESH: Duration = Duration::from_millis(1);

/// One stretch in which a thread works for a call.
#[derive(Clone, Copy)]
struct Turn {
    used_before: Duration,
    began: Instant,
    reading: Reading,
}

/// What the clock of a thread's own time said.
#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    thread: Duration,
}

impl Reading {
    fn now() -> Self {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Self {
            at: Instant::now(),
            thread: Duration::try_from(time).unwrap_or_default(),
        }
    }
}

thread_local! {
    static READING: Cell<Option<Reading>> = const { Cell::new(None) };
    static TURN: Cell<Turn> = Cell::new(Turn {
        used_before: Duration::ZERO,
        began: Instant::now(),
        reading: Reading::now(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works until the thread has used up so much.
    fn work(time: Duration) {
        let start = Reading::now().thread;
        while Reading::now().thread.saturating_sub(start) < time {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn work_counts_over_all_turns() {
        let work_for = Duration::from_millis(20);
        let used = metered(async {
            work(work_for);
            tokio::task::yield_now().await;
            work(work_for);
            used()
        })
        .await;
        assert!(used >= work_for * 2 - FRESH * 2, "{used:?}");
    }

    #[tokio::test]
    async fn waiting_and_the_work_of_others_do_not_count() {
        let work_for = Duration::from_millis(20);
        let (done, wait) = tokio::sync::oneshot::channel();
        let call = metered(async {
            wait.await.unwrap();
            used()
        });
        let other = async {
            work(work_for);
            done.send(()).unwrap();
        };
        let (used, ()) = tokio::join!(call, other);
        assert!(used < work_for, "{used:?}");
    }

    #[test]
    fn a_thread_that_stands_still_uses_nothing() {
        let work_for = Duration::from_millis(20);
        begin(Duration::ZERO);
        std::thread::spawn(move || work(work_for)).join().unwrap();
        assert!(used() < work_for, "{:?}", used());
    }
}
