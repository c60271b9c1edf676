//! Tasks that go on for as long as the gateway serves, whatever happens to them.

use std::future::Future;
use std::time::Duration;

use tracing::error;

/// Starts a task again for as long as it ends by a fault of its own.
pub(crate) async fn supervised<F>(task: &str, start: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    // Dropping the set ends what runs in it: this ends together with the task.
    let mut running = tokio::task::JoinSet::new();
    running.spawn(start());
    while let Some(Err(fault)) = running.join_next().await {
        error!(task, %fault, "a task died, and is started again");
        // One that dies at once must not do nothing else.
        tokio::time::sleep(PAUSE).await;
        running.spawn(start());
    }
}

const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_dies_is_started_again() {
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        supervised("listener mx", move || {
            let start = counted.fetch_add(1, Ordering::Relaxed);
            async move { assert!(start > 1, "dies twice") }
        })
        .await;
        assert_eq!(starts.load(Ordering::Relaxed), 3);
    }
}
