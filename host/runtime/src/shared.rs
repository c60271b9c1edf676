//! Instances that sessions share, for interpreters that take long to start: each works for one event
//! of one session at a time, and then for another. Nothing is isolated but the calls.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::PluginError;

/// Instances of one plugin that wait for work, and how many there may be.
#[derive(Debug)]
pub(super) struct SharedInstances<T> {
    places: Arc<Semaphore>,
    idle: Mutex<Vec<T>>,
    /// Places in the pool of the engine, kept for as long as the plugin is there.
    _kept: OwnedSemaphorePermit,
}

/// An instance at work, or the place for one that is yet to be made.
#[derive(Debug)]
pub(super) struct Borrowed<T> {
    pub(super) instance: Option<T>,
    pub(super) place: OwnedSemaphorePermit,
}

impl<T> SharedInstances<T> {
    /// Room for as many instances as there are permits.
    pub(super) fn new(kept: OwnedSemaphorePermit) -> Self {
        Self {
            places: Arc::new(Semaphore::new(kept.num_permits())),
            idle: Mutex::default(),
            _kept: kept,
        }
    }

    /// Waits until fewer than all instances are at work.
    ///
    /// # Errors
    ///
    /// Where that takes longer than `patience`.
    pub(super) async fn borrow(&self, patience: Duration) -> Result<Borrowed<T>, PluginError> {
        let place = Arc::clone(&self.places).acquire_owned();
        // The semaphore is never closed.
        let Ok(Ok(place)) = timeout(patience, place).await else {
            return Err(PluginError::Busy(patience));
        };
        // The last one to be given back is the one whose memory is still warm.
        let instance = self.idle().pop();
        Ok(Borrowed { instance, place })
    }

    /// Takes back an instance that works. One that has failed is not given back: it is dropped, and
    /// so is its place.
    pub(super) fn give_back(&self, instance: T, place: OwnedSemaphorePermit) {
        self.idle().push(instance);
        drop(place);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<T>> {
        // Pushing and popping leave a list whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn there_are_never_more_than_there_is_room_for() {
        let pool = Arc::new(Semaphore::new(3));
        let kept = Arc::clone(&pool).try_acquire_many_owned(2).unwrap();
        let shared = SharedInstances::new(kept);
        assert_eq!(pool.available_permits(), 1);
        let first = shared.borrow(PATIENCE).await.unwrap();
        assert_eq!(first.instance, None);
        let second = shared.borrow(PATIENCE).await.unwrap();
        let third = shared.borrow(PATIENCE).await;
        assert!(matches!(third, Err(PluginError::Busy(_))), "{third:?}");
        // The first works and comes back, the second fails.
        shared.give_back("warm", first.place);
        drop(second);
        assert_eq!(
            shared.borrow(PATIENCE).await.unwrap().instance,
            Some("warm")
        );
        assert_eq!(shared.borrow(PATIENCE).await.unwrap().instance, None);
        drop(shared);
        assert_eq!(pool.available_permits(), 3);
    }
}
