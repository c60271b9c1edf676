//! A record of the work done to verify passwords, for tests that compare it.

use std::cell::RefCell;

thread_local! {
    static WORK: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Records work whose duration an attacker can measure.
pub(super) fn record(work: String) {
    WORK.with_borrow_mut(|done| done.push(work));
}

/// The work of this thread since the last call.
pub(super) fn take_work() -> Vec<String> {
    WORK.take()
}
