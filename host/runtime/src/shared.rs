//! Instances that sessions share, for interpreters that take long to start. An instance serves one event
//! of one session at a time; its memory is not isolated between sessions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::HostFault;

/// The shared instances of one plugin.
#[derive(Debug)]
pub(super) struct SharedInstances<T> {
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<T>>,
    /// Permits of the engine's pool, held as long as the plugin is loaded.
    _pool_permits: OwnedSemaphorePermit,
}

/// The permission to use one instance.
#[derive(Debug)]
pub(super) struct Lease<T> {
    /// An idle instance, or `None` if the caller has to make a new one.
    pub(super) instance: Option<T>,
    pub(super) permit: OwnedSemaphorePermit,
}

impl<T> SharedInstances<T> {
    /// Allows as many instances as there are permits of the engine's pool.
    pub(super) fn new(pool_permits: OwnedSemaphorePermit) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(pool_permits.num_permits())),
            idle: Mutex::default(),
            _pool_permits: pool_permits,
        }
    }

    /// Waits until an instance is idle or may be made.
    ///
    /// # Errors
    ///
    /// Fails if that takes longer than `patience`.
    pub(super) async fn acquire(&self, patience: Duration) -> Result<Lease<T>, HostFault> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        // The semaphore is never closed.
        let Ok(Ok(permit)) = timeout(patience, permit).await else {
            return Err(HostFault::Busy(patience));
        };
        // The latest one to be released is the most likely to be in the caches of the processor.
        let instance = self.idle().pop();
        Ok(Lease { instance, permit })
    }

    /// Returns a working instance to the idle ones. An instance that has failed is dropped with its
    /// permit instead.
    pub(super) fn release(&self, instance: T, permit: OwnedSemaphorePermit) {
        self.idle().push(instance);
        drop(permit);
    }

    /// Drops the instances that nobody uses. The next session that needs one makes a new one.
    pub(super) fn drop_idle(&self) {
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<T>> {
        // A poisoned lock is usable: push and pop do not panic half-way.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn instances_are_bounded_by_the_permits() {
        let pool = Arc::new(Semaphore::new(3));
        let pool_permits = Arc::clone(&pool).try_acquire_many_owned(2).unwrap();
        let shared = SharedInstances::new(pool_permits);
        assert_eq!(pool.available_permits(), 1);
        let first = shared.acquire(PATIENCE).await.unwrap();
        assert_eq!(first.instance, None);
        let second = shared.acquire(PATIENCE).await.unwrap();
        let third = shared.acquire(PATIENCE).await;
        assert!(matches!(third, Err(HostFault::Busy(_))), "{third:?}");
        // The first is released, the second fails and is dropped.
        shared.release("warm", first.permit);
        drop(second);
        assert_eq!(
            shared.acquire(PATIENCE).await.unwrap().instance,
            Some("warm")
        );
        assert_eq!(shared.acquire(PATIENCE).await.unwrap().instance, None);
        let third = shared.acquire(PATIENCE).await.unwrap();
        shared.release("idle", third.permit);
        shared.drop_idle();
        assert_eq!(shared.acquire(PATIENCE).await.unwrap().instance, None);
        drop(shared);
        assert_eq!(pool.available_permits(), 3);
    }
}
