//! Restarts tasks that panic.

use std::future::Future;
use std::time::Duration;

use tracing::error;

use crate::error_chain::Chain;

/// Runs a task, and restarts it for as long as it panics. Returns when the task does. Dropping the
/// future aborts the task.
pub(crate) async fn supervise<F>(name: &str, start: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    // A JoinSet aborts its tasks when it is dropped, unlike a JoinHandle.
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(start());
    while let Some(Err(fault)) = tasks.join_next().await {
        error!(task = name, fault = %Chain(&fault), "a task panicked, and is restarted");
        // A task that panics immediately must not occupy a whole processor.
        tokio::time::sleep(RESTART_DELAY).await;
        tasks.spawn(start());
    }
}

const RESTART_DELAY: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_dies_is_started_again() {
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        supervise("listener mx", move || {
            let start = counted.fetch_add(1, Ordering::Relaxed);
            async move { assert!(start > 1, "panics twice") }
        })
        .await;
        assert_eq!(starts.load(Ordering::Relaxed), 3);
    }
}
