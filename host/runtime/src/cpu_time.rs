//! The CPU time of a call: the work of the guest and of the host for it, but neither the time that it
//! waits nor the work of other sessions meanwhile.
//!
//! A call is a future, and a thread works for it only while it is polled. Only the CPU clock of the
//! thread tells work from waiting, and reading that clock takes as long as a short call. Therefore a
//! thread reads it at most once per [`MAX_AGE`] when a call begins, and at each interruption of a guest
//! that computes for long.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A call whose CPU time is measured, wherever it is polled. Code inside the call can read its CPU time with
/// [`cpu_used`].
pub(super) struct Metered<F> {
    /// It can go to another thread between two polls.
    call: Pin<Box<F>>,
    used: Duration,
}

impl<F: Future> Metered<F> {
    pub(super) fn new(call: F) -> Self {
        Self {
            call: Box::pin(call),
            used: Duration::ZERO,
        }
    }

    /// Goes on with a call that has used this time already.
    pub(super) fn after(used: Duration, call: F) -> Self {
        Self {
            used,
            ..Self::new(call)
        }
    }

    /// Polls the call. It must not be polled again after it is ready.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<F::Output> {
        begin_poll(self.used);
        let polled = self.call.as_mut().poll(context);
        self.used = cpu_used();
        polled
    }

    /// The CPU time of the call until now.
    pub(super) const fn used(&self) -> Duration {
        self.used
    }
}

/// Returns the CPU time of the current call of this thread so far. The error is at most [`MAX_AGE`].
pub(super) fn cpu_used() -> Duration {
    let poll = POLL.get();
    let wall = poll.began.elapsed();
    // Below MAX_AGE all time counts as work, which saves a reading of the CPU clock.
    if wall < MAX_AGE {
        return poll.used_before + wall;
    }
    let reading = Reading::now();
    let cpu = reading.cpu.saturating_sub(poll.reading.cpu);
    // The reading may be older than the poll, and then contains time of the call before.
    poll.used_before + cpu.min(wall)
}

/// Adds the CPU time that another thread has used for the current call of this thread.
pub(super) fn charge(used: Duration) {
    let mut poll = POLL.get();
    poll.used_before += used;
    POLL.set(poll);
}

/// Does work for a call on a thread of its own, and returns the CPU time that it took as well.
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = thread_time();
    let output = work();
    (output, thread_time().saturating_sub(start))
}

/// The CPU time of this thread so far.
pub(super) fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fn begin_poll(used_before: Duration) {
    let began = Instant::now();
    let last = READING.get();
    let reading = match last {
        Some(last) if began.saturating_duration_since(last.at) < MAX_AGE => last,
        _ => Reading::now(),
    };
    READING.set(Some(reading));
    POLL.set(Start {
        used_before,
        began,
        reading,
    });
}

/// The greatest age at which a reading of the CPU clock is reused.
const MAX_AGE: Duration = Duration::from_millis(1);

/// The beginning of the latest poll of a call on this thread.
#[derive(Clone, Copy)]
struct Start {
    used_before: Duration,
    began: Instant,
    reading: Reading,
}

/// A reading of the CPU clock of the thread.
#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    cpu: Duration,
}

impl Reading {
    fn now() -> Self {
        let cpu = thread_time();
        Self {
            at: Instant::now(),
            cpu,
        }
    }
}

thread_local! {
    static READING: Cell<Option<Reading>> = const { Cell::new(None) };
    static POLL: Cell<Start> = Cell::new(Start {
        used_before: Duration::ZERO,
        began: Instant::now(),
        reading: Reading::now(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn with_cpu_clock<F: Future>(call: F) -> F::Output {
        let mut call = Metered::new(call);
        std::future::poll_fn(|context| call.poll(context)).await
    }

    /// Works until the thread has used this much CPU time.
    fn work(time: Duration) {
        let start = Reading::now().cpu;
        while Reading::now().cpu.saturating_sub(start) < time {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn work_counts_over_all_polls() {
        let work_for = Duration::from_millis(20);
        let used = with_cpu_clock(async {
            work(work_for);
            tokio::task::yield_now().await;
            work(work_for);
            cpu_used()
        })
        .await;
        assert!(used >= work_for * 2 - MAX_AGE * 2, "{used:?}");
    }

    #[tokio::test]
    async fn the_work_of_other_threads_for_a_call_counts() {
        let work_for = Duration::from_millis(20);
        let elsewhere = async {
            let task = tokio::task::spawn_blocking(move || timed(|| work(work_for)));
            let ((), used) = task.await.unwrap();
            charge(used);
            tokio::task::yield_now().await;
            cpu_used()
        };
        let used = with_cpu_clock(elsewhere).await;
        assert!(used >= work_for, "{used:?}");
    }

    #[tokio::test]
    async fn waiting_and_the_work_of_others_do_not_count() {
        let work_for = Duration::from_millis(20);
        let (done, wait) = tokio::sync::oneshot::channel();
        let call = with_cpu_clock(async {
            wait.await.unwrap();
            cpu_used()
        });
        let other = async {
            work(work_for);
            done.send(()).unwrap();
        };
        let (used, ()) = tokio::join!(call, other);
        assert!(used < work_for, "{used:?}");
    }

    #[test]
    fn an_idle_thread_uses_no_cpu_time() {
        let work_for = Duration::from_millis(20);
        begin_poll(Duration::ZERO);
        std::thread::spawn(move || work(work_for)).join().unwrap();
        assert!(cpu_used() < work_for, "{:?}", cpu_used());
    }
}
