//! The clients of the control socket. There is always room for one more: whoever has been silent for the
//! longest makes way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout_at};
use tracing::debug;

/// The clients that are connected, at most [`MAX_CLIENTS`].
#[derive(Debug, Default)]
pub(super) struct Clients {
    tasks: JoinSet<()>,
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    task: AbortHandle,
    activity: Activity,
}

/// What a client does, and since when.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<(Doing, Instant)>>);

/// What a client does. Who is first in this order makes way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    /// Nothing: the gateway waits for its request, or until it reads the response.
    Idling,
    /// It waits for the response.
    Asking,
}

impl Activity {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((Doing::Idling, Instant::now()))))
    }

    /// Records what the client does from now on.
    pub(super) fn set(&self, doing: Doing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (doing, Instant::now());
    }

    fn get(&self) -> (Doing, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    /// Waits until there is room for another client, which is [`GRACE`] at most: then one makes way.
    pub(super) async fn make_room(&mut self) {
        loop {
            while self.tasks.try_join_next().is_some() {}
            self.places.retain(|place| !place.task.is_finished());
            if self.places.len() < MAX_CLIENTS {
                return;
            }
            let places = self.places.iter().enumerate();
            let Some((first, place)) = places.min_by_key(|(_, place)| place.activity.get()) else {
                return;
            };
            let (doing, since) = place.activity.get();
            if since.elapsed() >= GRACE {
                debug!(?doing, "a control client makes way for another one");
                self.places.swap_remove(first).task.abort();
                return;
            }
            // One that has ended, or has had its time: either way it is looked at again.
            _ = timeout_at(since + GRACE, self.tasks.join_next()).await;
        }
    }

    /// Serves another client, which tells its activity.
    pub(super) fn admit<F>(&mut self, serve: impl FnOnce(Activity) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let activity = Activity::new();
        let task = self.tasks.spawn(serve(activity.clone()));
        self.places.push(Place { task, activity });
    }
}

/// The most clients at a time.
const MAX_CLIENTS: usize = 8;

/// The time that a client has for anything before it makes way for others, however many there are.
const GRACE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// Those who wait for a response go last, and who came first goes before others.
    #[tokio::test]
    async fn the_longest_idle_client_makes_way() {
        let mut clients = Clients::default();
        let mut activities = Vec::new();
        for _ in 0..MAX_CLIENTS {
            clients.make_room().await;
            clients.admit(|activity| {
                activities.push(activity);
                pending()
            });
        }
        activities[0].set(Doing::Asking);
        clients.make_room().await;
        assert_eq!(clients.places.len(), MAX_CLIENTS - 1);
        let is_there = |activity: &Activity| {
            let mut places = clients.places.iter();
            places.any(|place| Arc::ptr_eq(&place.activity.0, &activity.0))
        };
        assert!(is_there(&activities[0]) && !is_there(&activities[1]));
    }

    #[tokio::test]
    async fn a_client_that_ends_makes_way() {
        let mut clients = Clients::default();
        let mut activities = Vec::new();
        for number in 0..MAX_CLIENTS {
            clients.admit(|activity| {
                activities.push(activity);
                async move {
                    if number == 1 {
                        return;
                    }
                    pending::<()>().await;
                }
            });
        }
        tokio::task::yield_now().await;
        clients.make_room().await;
        let places = clients.places.iter();
        let others = activities
            .iter()
            .enumerate()
            .filter(|(number, _)| *number != 1);
        let same = places
            .zip(others)
            .all(|(place, (_, activity))| Arc::ptr_eq(&place.activity.0, &activity.0));
        assert!(same && clients.places.len() == MAX_CLIENTS - 1);
    }
}
