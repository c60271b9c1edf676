//! The clock by which guests are interrupted: it advances the epoch of the engine while guests run.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// Advances the epoch of an engine every [`TICK`], as long as somebody says that guests run. Its thread ends
/// when this is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    /// True if a guest may have run since the thread has looked last.
    is_needed: AtomicBool,
    is_asleep: AtomicBool,
    is_over: AtomicBool,
}

impl Ticker {
    /// # Errors
    ///
    /// Fails if the system allows no more threads.
    pub(crate) fn start(engine: &Engine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, of_thread) = (engine.weak(), Arc::clone(&shared));
        let thread = thread::Builder::new().name("epoch".to_owned());
        let thread = thread.spawn(move || of_thread.tick(&engine))?;
        Ok(Self {
            shared,
            thread: thread.thread().clone(),
        })
    }

    /// Says that a guest is about to run, for at most [`TICKS_AWAKE`] ticks.
    pub(crate) fn keep_awake(&self) {
        // Either this sees that the thread sleeps, or the thread sees that it may not, whence the order.
        self.shared.is_needed.store(true, Ordering::SeqCst);
        if self.shared.is_asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Shared {
    fn tick(&self, engine: &EngineWeak) {
        let mut quiet = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            let Some(engine) = engine.upgrade() else {
                return;
            };
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
            quiet = match self.is_needed.swap(false, Ordering::SeqCst) {
                true => 0,
                false => quiet + 1,
            };
            if quiet >= TICKS_AWAKE {
                self.sleep();
                quiet = 0;
            }
        }
    }

    /// Sleeps until a guest is about to run.
    fn sleep(&self) {
        self.is_asleep.store(true, Ordering::SeqCst);
        while !self.is_needed.load(Ordering::SeqCst) && !self.is_over.load(Ordering::SeqCst) {
            thread::park();
        }
        self.is_asleep.store(false, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// The interval at which the epoch advances.
const TICK: Duration = Duration::from_millis(1);

/// The number of ticks without a guest after which the thread sleeps. Waking it costs a system call, which no
/// session of a busy gateway should pay for.
const TICKS_AWAKE: u32 = 100;

/// The number of ticks after which a call is interrupted first. The first of them can come at once.
pub(crate) const TICKS_OF_SHORT_CALL: u64 = 2;

/// The number of ticks between two interruptions from then on.
pub(crate) const TICKS_OF_SLICE: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits until the thread sleeps, or no longer does.
    fn wait_until(ticker: &Ticker, is_asleep: bool) {
        while ticker.shared.is_asleep.load(Ordering::SeqCst) != is_asleep {
            thread::yield_now();
        }
    }

    #[test]
    fn it_sleeps_while_no_guest_runs() {
        let engine = Engine::default();
        let ticker = Ticker::start(&engine).unwrap();
        wait_until(&ticker, true);
        ticker.keep_awake();
        wait_until(&ticker, false);
        wait_until(&ticker, true);
    }

    #[test]
    fn its_thread_ends_with_it() {
        let engine = Engine::default();
        let ticker = Ticker::start(&engine).unwrap();
        let shared = Arc::downgrade(&ticker.shared);
        wait_until(&ticker, true);
        drop(ticker);
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
