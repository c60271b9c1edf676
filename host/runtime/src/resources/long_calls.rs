//! Calls that compute for long, on threads of their own.
//!
//! A call begins where its session is: most are over before anybody else would have to wait. Once a call has
//! computed for longer than [`SHORT`], it goes on in slices on other threads, which make way for those that
//! serve sessions. Clients take turns there: one slice each, however many sessions they have.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use postgate_proto::network::client_network;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, Sleep, sleep};
use tracing::warn;

use super::ticker::Ticker;
use super::turns::Turns;
use crate::cpu_time::Metered;

/// The threads for calls that compute for long. They end when this is dropped.
pub(crate) struct LongCalls {
    shared: Arc<Shared>,
}

/// What the threads share.
struct Shared {
    ticker: Ticker,
    state: Mutex<State>,
    /// Tells the threads that there is work, or that it is over.
    changed: Condvar,
}

struct State {
    turns: Turns<IpAddr, Slice>,
    /// The threads that exist, and how many there may be.
    threads: usize,
    max_threads: usize,
    /// How many of them wait for work.
    idle: usize,
    is_over: bool,
}

/// Some milliseconds of a call.
type Slice = Box<dyn FnOnce() + Send>;

/// How long a call is expected to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Short,
    Long,
}

/// A call that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended<T> {
    pub(crate) output: T,
    /// The processor time that it has used.
    pub(crate) used: Duration,
    /// When its time would have been over.
    pub(crate) end: Instant,
}

/// Why a call has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It took too long.
    Elapsed,
    /// Its client may have no more processor time than this.
    Exhausted(Duration),
}

impl LongCalls {
    /// No thread is started before there is work. The ticker interrupts calls.
    pub(crate) fn new(ticker: Ticker) -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            shared: Arc::new(Shared {
                ticker,
                state: Mutex::new(State {
                    turns: Turns::new(),
                    threads: 0,
                    max_threads: processors,
                    idle: 0,
                    is_over: false,
                }),
                changed: Condvar::new(),
            }),
        }
    }

    /// Runs a call for a client: here, or on the other threads once it has taken long, or from the beginning if
    /// it is expected to. `charge` gets the processor time that it uses, piece by piece, and returns the limit
    /// of the client once that is exceeded.
    ///
    /// # Errors
    ///
    /// Fails if the call takes longer than `wall`, without the time in which it waits for its turn, or if its
    /// client may have no more processor time.
    pub(crate) async fn run<F>(
        &self,
        client: IpAddr,
        wall: Duration,
        expected: Expected,
        call: F,
        charge: impl Fn(Duration) -> Option<Duration>,
    ) -> Result<Ended<F::Output>, Stopped>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let mut call = Metered::new(call);
        let mut end = pin!(sleep(wall));
        let output = tokio::select! {
            biased;
            output = self.begin(&mut call, expected) => output,
            () = &mut end => return Err(Stopped::Elapsed),
        };
        let used = call.used();
        if expected == Expected::Short {
            charge(used);
        }
        match output {
            Some(output) => Ok(Ended {
                output,
                used,
                end: end.deadline(),
            }),
            None => self.go_on(client, call, end, charge).await,
        }
    }

    /// Goes on with a call on the other threads, in turn with those of other clients.
    async fn go_on<F>(
        &self,
        client: IpAddr,
        mut call: Metered<F>,
        mut end: Pin<&mut Sleep>,
        charge: impl Fn(Duration) -> Option<Duration>,
    ) -> Result<Ended<F::Output>, Stopped>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let client = client_network(client);
        let signal = Arc::new(Signal::default());
        let mut is_begun = false;
        loop {
            let before = call.used();
            let turn = self.turn(client, call, &signal, is_begun).await;
            is_begun = true;
            call = turn.call;
            let used = call.used();
            let exceeded = charge(used - before);
            let deadline = end.deadline() + turn.waited;
            match (turn.polled, exceeded) {
                (Ok(Poll::Ready(output)), _) => {
                    return Ok(Ended {
                        output,
                        used,
                        end: deadline,
                    });
                }
                (Ok(Poll::Pending), Some(limit)) => return Err(Stopped::Exhausted(limit)),
                (Ok(Poll::Pending), None) => end.as_mut().reset(deadline),
                (Err(panic), _) => resume_unwind(panic),
            }
            tokio::select! {
                biased;
                () = &mut end => return Err(Stopped::Elapsed),
                () = signal.0.notified() => {}
            }
        }
    }

    /// Runs a call here as long as it is short. Returns `None` if it is to go on elsewhere.
    fn begin<'a, F: Future>(
        &'a self,
        call: &'a mut Metered<F>,
        expected: Expected,
    ) -> impl Future<Output = Option<F::Output>> + 'a {
        poll_fn(move |context| {
            if expected == Expected::Long {
                return Poll::Ready(None);
            }
            self.shared.ticker.keep_awake();
            match call.poll(context) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if call.used() >= SHORT => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
    }

    /// Waits for the turn of a client, and does a slice of a call.
    async fn turn<F>(
        &self,
        client: IpAddr,
        mut call: Metered<F>,
        signal: &Arc<Signal>,
        is_begun: bool,
    ) -> Turn<F>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let (give_back, back) = oneshot::channel();
        let waker = Waker::from(Arc::clone(signal));
        let (runtime, shared) = (Handle::current(), Arc::clone(&self.shared));
        let submitted = Instant::now();
        let slice = move || {
            // Functions of the host start tasks and timers.
            let _entered = runtime.enter();
            if give_back.is_closed() {
                // The session is gone, or has no more patience.
                drop(call);
                return;
            }
            let waited = submitted.elapsed();
            let mut context = Context::from_waker(&waker);
            shared.ticker.keep_awake();
            let polled = catch_unwind(AssertUnwindSafe(|| call.poll(&mut context)));
            let turn = Turn {
                call,
                polled,
                waited,
            };
            // Without a receiver, the call ends here.
            drop(give_back.send(turn));
        };
        self.submit(client, Box::new(slice), is_begun);
        match back.await {
            Ok(turn) => turn,
            // The threads end with the runtime of plugins, which outlives its calls.
            Err(_) => std::future::pending().await,
        }
    }

    /// Adds work, and sees that there is a thread for it.
    fn submit(&self, client: IpAddr, slice: Slice, is_begun: bool) {
        let mut state = self.shared.lock();
        state.turns.push(client, slice, is_begun);
        if state.idle == 0 && state.threads < state.max_threads {
            self.start_thread(&mut state);
        }
        let here = match state.threads {
            0 => state.turns.pop(),
            _ => None,
        };
        drop(state);
        match here {
            None => self.shared.changed.notify_one(),
            // The machine allows no thread more. Others wait for a while, as for a short call.
            Some(slice) => slice(),
        }
    }

    fn start_thread(&self, state: &mut State) {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name("long-calls".to_owned());
        match thread.spawn(move || shared.work()) {
            Ok(_) => state.threads += 1,
            // The next call tries again.
            Err(error) => warn!(%error, "no thread for plugins that compute for long"),
        }
    }
}

impl Shared {
    /// What a thread does.
    fn work(&self) {
        make_way();
        let mut state = self.lock();
        loop {
            if state.is_over {
                return;
            }
            if let Some(slice) = state.turns.pop() {
                drop(state);
                slice();
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock is usable: no change of the state can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LongCalls {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_over = true;
        state.turns.clear();
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl fmt::Debug for LongCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = self.shared.lock().threads;
        f.debug_struct("LongCalls")
            .field("threads", &threads)
            .finish_non_exhaustive()
    }
}

/// A call after its turn.
struct Turn<F: Future> {
    call: Metered<F>,
    polled: Result<Poll<F::Output>, Box<dyn Any + Send>>,
    /// How long it has waited for its turn.
    waited: Duration,
}

/// Tells a session that its call can go on.
#[derive(Default)]
struct Signal(Notify);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// The processor time after which a call is long.
const SHORT: Duration = Duration::from_millis(1);

/// Lets threads that serve sessions go first: whenever one of them has something to do, and not only at the end
/// of a time slice.
fn make_way() {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: NICENESS,
        sched_priority: 0,
        // Since Linux 6.12, who has shorter slices may interrupt.
        sched_runtime: SLICE.as_nanos() as u64,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: The kernel reads as many octets as `size` says, and changes only this thread.
    #[expect(unsafe_code, reason = "there is no safe function for it")]
    // It fails only where a process may not change priorities.
    let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

/// How much these threads make way, from 0 to 19.
const NICENESS: i32 = 10;

/// The time slice of these threads, ten times as long as that of others.
const SLICE: Duration = Duration::from_millis(30);

#[cfg(test)]
mod tests;
