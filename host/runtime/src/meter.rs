//! The work of the host for a plugin: counted as that of the plugin, in turn with other sessions, and ended
//! with the limit of the call that has caused it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking, yield_now};
use tokio::time::{Instant, timeout_at};

use crate::cpu_time::{Metered, charge, cpu_used, thread_time, timed};
use crate::error::PluginError;

/// The call of a plugin has used up its CPU time, with what the host has done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call has used up its CPU time")]
pub(crate) struct OutOfTime;

/// Measures work of the host within a call.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    /// The CPU time of the whole call.
    limit: Duration,
    /// Work that was done since the last look at the clock.
    unseen: usize,
    /// The CPU time of the call when others had their turn.
    turn: Duration,
}

impl Meter {
    /// Creates a meter for work within a call that may use the CPU time `limit`.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            unseen: 0,
            turn: cpu_used(),
        }
    }

    /// Counts work that was done, as much as going through so many octets. Now and then, it looks at the
    /// clock and lets other sessions run.
    ///
    /// # Errors
    ///
    /// Fails if the call has used up its CPU time.
    pub(crate) async fn count(&mut self, octets: usize) -> Result<(), OutOfTime> {
        self.unseen += octets;
        match self.unseen < PIECE {
            true => Ok(()),
            false => self.look().await,
        }
    }

    /// Looks at the clock, and lets other sessions run if it is their turn.
    ///
    /// # Errors
    ///
    /// As [`Self::count`].
    pub(crate) async fn look(&mut self) -> Result<(), OutOfTime> {
        self.unseen = 0;
        let used = cpu_used();
        if used >= self.limit {
            return Err(OutOfTime);
        }
        // A new call begins at 0.
        if used.saturating_sub(self.turn) >= TURN {
            yield_now().await;
            self.turn = used;
        }
        Ok(())
    }

    /// Does work on a thread that may block. Its CPU time counts as that of the call, and
    /// [`check_piece`] ends it there.
    ///
    /// # Errors
    ///
    /// The outer error means that the work panicked, the inner one that the call has used up its CPU time.
    pub(crate) async fn elsewhere<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, OutOfTime>, JoinError> {
        // Such work would take the processors from all sessions if there were no bound. The semaphore is
        // never closed.
        let turn = THREADS.acquire().await;
        let left = self.limit.saturating_sub(cpu_used());
        let is_given_up = GivenUp::default();
        let flag = Arc::clone(&is_given_up.0);
        let work = move || {
            ALLOWANCE.set(Some(Allowance {
                end: thread_time().saturating_add(left),
                is_given_up: flag,
            }));
            // Also if the work panics: the thread goes on with that of others.
            let _end = EndOfAllowance;
            work()
        };
        let (output, used) = spawn_blocking(|| timed(work)).await?;
        drop(turn);
        charge(used);
        // The time of the call is an estimate, which may have become less meanwhile.
        Ok(match used < left && cpu_used() < self.limit {
            true => Ok(output),
            false => Err(OutOfTime),
        })
    }
}

/// Does work on a thread that may block. Its CPU time counts as that of the current call.
///
/// # Errors
///
/// Fails if the work panics.
pub(crate) async fn charged<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let (output, used) = spawn_blocking(|| timed(work)).await?;
    charge(used);
    Ok(output)
}

/// Ends work of [`Meter::elsewhere`] between two pieces of it. Does nothing on other threads.
///
/// # Errors
///
/// Fails if the call that the thread works for has used up its CPU time, or is over.
pub(crate) fn check_piece() -> io::Result<()> {
    let may_go_on = ALLOWANCE.with_borrow(|allowance| {
        allowance.as_ref().is_none_or(|allowance| {
            !allowance.is_given_up.load(Ordering::Relaxed) && thread_time() < allowance.end
        })
    });
    match may_go_on {
        true => Ok(()),
        false => Err(io::Error::other(OutOfTime)),
    }
}

/// What a thread may do for a call.
#[derive(Debug)]
struct Allowance {
    /// The CPU time of the thread at which the call has used up its own.
    end: Duration,
    is_given_up: Arc<AtomicBool>,
}

/// Ends what a thread may do for a call.
struct EndOfAllowance;

impl Drop for EndOfAllowance {
    fn drop(&mut self) {
        ALLOWANCE.set(None);
    }
}

/// Tells a thread when nobody waits for its work any more.
#[derive(Debug, Default)]
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    static ALLOWANCE: RefCell<Option<Allowance>> = const { RefCell::new(None) };
}

/// One for each thread that may do long work of the host at the same time, as many as there are processors.
static THREADS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// What the limits of a call leave for what its answer has the host do.
#[derive(Clone, Copy, Debug)]
pub struct Remainder {
    pub(crate) used: Duration,
    pub(crate) cpu: Duration,
    pub(crate) cpu_key: &'static str,
    /// The end of the elapsed time, or `None` if it is not limited.
    pub(crate) end: Option<Instant>,
    pub(crate) wall: Duration,
    pub(crate) wall_key: &'static str,
}

impl Remainder {
    /// Everything, for plugins that have no limits: those of tests.
    pub const UNLIMITED: Self = Self {
        used: Duration::ZERO,
        cpu: Duration::MAX,
        cpu_key: "cpu",
        end: None,
        wall: Duration::MAX,
        wall_key: "wall",
    };

    /// Does work of the host as a part of the call. `charge` gets the CPU time that it has taken.
    ///
    /// # Errors
    ///
    /// Fails as the call would: if it has used up its CPU time or its elapsed time.
    pub(crate) async fn spend<T, F>(
        self,
        charge: impl FnOnce(Duration),
        work: impl FnOnce(Meter) -> F,
    ) -> Result<T, PluginError>
    where
        F: Future<Output = Result<T, OutOfTime>>,
    {
        let metered = with_cpu_clock(self.used, async { work(Meter::new(self.cpu)).await });
        let (output, used) = match self.end {
            None => metered.await,
            Some(end) => timeout_at(end, metered)
                .await
                .map_err(|_| PluginError::Wall {
                    key: self.wall_key,
                    limit: self.wall,
                })?,
        };
        charge(used.saturating_sub(self.used));
        match output {
            Ok(output) if used <= self.cpu => Ok(output),
            Ok(_) | Err(OutOfTime) => Err(PluginError::Cpu {
                key: self.cpu_key,
                limit: self.cpu,
            }),
        }
    }
}

/// Goes on with a call that has used a time already, and returns the time that it has used in the end, too.
async fn with_cpu_clock<F: Future>(used: Duration, call: F) -> (F::Output, Duration) {
    let mut call = Metered::after(used, call);
    let output = poll_fn(|context| call.poll(context)).await;
    (output, call.used())
}

/// The work between two looks at the clock, in octets to go through: some ten microseconds.
const PIECE: usize = 65_536;
/// How long a call works until others have their turn.
const TURN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Works until it is told to end.
    fn work() -> io::Error {
        loop {
            if let Err(error) = check_piece() {
                return error;
            }
        }
    }

    #[tokio::test]
    async fn work_elsewhere_ends_with_the_time_of_its_call() {
        let limit = Duration::from_millis(5);
        let call = async { Meter::new(limit).elsewhere(work).await.unwrap() };
        let (output, used) = with_cpu_clock(Duration::ZERO, call).await;
        assert!(matches!(output, Err(OutOfTime)));
        assert!(used >= limit, "{used:?}");
    }

    #[tokio::test]
    async fn work_elsewhere_ends_with_its_call() {
        let (ended, end) = std::sync::mpsc::channel();
        let meter = Meter::new(Duration::MAX);
        let call = meter.elsewhere(move || ended.send(work()));
        assert!(timeout_at(Instant::now(), call).await.is_err());
        end.recv().unwrap();
    }

    #[tokio::test]
    async fn work_ends_with_the_time_of_its_call() {
        let remainder = Remainder {
            cpu: Duration::from_millis(5),
            ..Remainder::UNLIMITED
        };
        let spin = remainder.spend::<(), _>(drop, async |mut meter| {
            loop {
                meter.count(1_024).await?;
            }
        });
        let error = spin.await.unwrap_err();
        assert_eq!(error.cause(), "cpu");
        let used = Remainder {
            used: remainder.cpu,
            ..remainder
        };
        let late = used.spend(drop, async |_| Ok(())).await.unwrap_err();
        assert_eq!(late.cause(), "cpu");
    }
}
