//! A queue in which short work goes first, and nobody waits for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Places for work, and those who wait for one.
pub(super) struct Lane(Mutex<State>);

struct State {
    free: usize,
    waiting: Vec<Waiter>,
}

struct Waiter {
    size: usize,
    /// How many have gone first who came later.
    passed_by: u32,
    wake: oneshot::Sender<Turn>,
}

/// A place in a lane. Dropping it makes it free.
pub(super) struct Turn(Option<Arc<Lane>>);

impl Lane {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            free: places,
            waiting: Vec::new(),
        })))
    }

    /// Waits for a place. Of those who wait, the smallest goes first, unless somebody else has been passed
    /// by [`MAX_PASSED_BY`] times.
    pub(super) async fn enter(self: &Arc<Self>, size: usize) -> Turn {
        let receiver = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Turn(Some(Arc::clone(self)));
            }
            let (wake, receiver) = oneshot::channel();
            state.waiting.push(Waiter {
                size,
                passed_by: 0,
                wake,
            });
            receiver
        };
        // A sender is used before it is dropped, and the lane lives as long as its turns.
        receiver.await.unwrap_or(Turn(None))
    }

    /// Takes a place if one is free and nobody waits for it.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Turn> {
        let mut state = self.lock();
        state.free = state.free.checked_sub(1)?;
        Some(Turn(Some(Arc::clone(self))))
    }

    /// Hands a place over to the next, or makes it free.
    fn leave(self: &Arc<Self>) {
        let mut state = self.lock();
        while let Some(next) = state.next() {
            let turn = Turn(Some(Arc::clone(self)));
            match next.wake.send(turn) {
                Ok(()) => return,
                // Whoever waited has given up. The turn must not give the place back itself.
                Err(mut turn) => turn.0 = None,
            }
        }
        state.free += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock is usable: no change of the state can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Removes and returns who is next. Those who came first are at the front.
    fn next(&mut self) -> Option<Waiter> {
        let starving = |waiter: &Waiter| waiter.passed_by >= MAX_PASSED_BY;
        let index = match self.waiting.iter().position(starving) {
            Some(index) => index,
            None => {
                let sizes = self.waiting.iter().enumerate();
                sizes.min_by_key(|(_, waiter)| waiter.size)?.0
            }
        };
        for earlier in &mut self.waiting[..index] {
            earlier.passed_by += 1;
        }
        Some(self.waiting.remove(index))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(lane) = self.0.take() {
            lane.leave();
        }
    }
}

/// How many who came later may go first.
const MAX_PASSED_BY: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_smallest_goes_first() {
        let lane = Lane::new(1);
        let turn = poll(pin!(lane.enter(5))).unwrap();
        assert!(lane.try_enter().is_none());
        let (mut large, mut small) = (pin!(lane.enter(9)), pin!(lane.enter(1)));
        assert!(poll(large.as_mut()).is_none() && poll(small.as_mut()).is_none());
        drop(turn);
        assert!(poll(large.as_mut()).is_none());
        drop(poll(small.as_mut()).unwrap());
        drop(poll(large.as_mut()).unwrap());
        assert!(lane.try_enter().is_some());
    }

    #[test]
    fn the_largest_waits_for_a_bounded_number_of_others() {
        let lane = Lane::new(1);
        let mut turn = poll(pin!(lane.enter(5)));
        let mut large = pin!(lane.enter(9));
        assert!(poll(large.as_mut()).is_none());
        for _ in 0..MAX_PASSED_BY {
            let mut small = pin!(lane.enter(1));
            assert!(poll(small.as_mut()).is_none());
            drop(turn.take());
            turn = poll(small.as_mut());
            assert!(turn.is_some() && poll(large.as_mut()).is_none());
        }
        let mut small = pin!(lane.enter(1));
        assert!(poll(small.as_mut()).is_none());
        drop(turn);
        assert!(poll(small.as_mut()).is_none());
        assert!(poll(large.as_mut()).is_some());
    }

    #[test]
    fn who_gives_up_takes_no_place() {
        let lane = Lane::new(1);
        let turn = poll(pin!(lane.enter(5))).unwrap();
        {
            let mut gone = pin!(lane.enter(1));
            assert!(poll(gone.as_mut()).is_none());
        }
        let mut last = pin!(lane.enter(7));
        assert!(poll(last.as_mut()).is_none());
        drop(turn);
        assert!(poll(last.as_mut()).is_some());
    }
}
