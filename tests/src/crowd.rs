//! A constant load of sessions, each of which must succeed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::PATIENCE;
use crate::client::Client;
use crate::peer::pause;

/// Clients that each run one session after another until they are stopped.
pub struct Crowd {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    sessions: AtomicUsize,
    answers: Mutex<BTreeSet<String>>,
}

impl Crowd {
    /// Starts this many clients. In each session, a client sends the same RCPT twice, while all other
    /// clients run, and must get the same reply both times.
    pub fn of(clients: usize, address: SocketAddr) -> Self {
        Self::running(clients, address, session)
    }

    /// Starts this many clients, with these sessions.
    pub fn running(clients: usize, address: SocketAddr, session: fn(SocketAddr) -> String) -> Self {
        let shared = Arc::new(Shared::default());
        let client = || {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                while !shared.is_over.load(Ordering::Relaxed) {
                    let answer = session(address);
                    let answers = shared.answers.lock();
                    let mut answers = answers.unwrap_or_else(PoisonError::into_inner);
                    answers.insert(answer);
                    shared.sessions.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let clients = (0..clients).map(|_| client()).collect();
        Self { shared, clients }
    }

    /// Waits until so many more sessions have ended.
    ///
    /// # Panics
    ///
    /// Panics if a session failed, or if they do not end in time.
    pub fn wait_for_sessions(&self, count: usize) {
        let ended = || self.shared.sessions.load(Ordering::Relaxed);
        let (wanted, deadline) = (ended() + count, Instant::now() + PATIENCE);
        while ended() < wanted {
            let mut clients = self.clients.iter();
            assert!(!clients.any(JoinHandle::is_finished), "a session failed");
            assert!(Instant::now() < deadline, "sessions do not end");
            pause();
        }
    }

    /// Stops the clients. Returns the number of sessions and the set of replies.
    ///
    /// # Panics
    ///
    /// Panics if a session failed.
    pub fn end(mut self) -> (usize, BTreeSet<String>) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.join().expect("no session fails");
        }
        let answers = self.shared.answers.lock();
        let answers = answers.unwrap_or_else(PoisonError::into_inner);
        (
            self.shared.sessions.load(Ordering::Relaxed),
            answers.clone(),
        )
    }
}

/// Stops the clients when a test fails.
impl Drop for Crowd {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

/// Runs one session, and returns the reply to RCPT.
pub fn session(address: SocketAddr) -> String {
    let mut client = Client::greeted(address);
    client.says("MAIL FROM:<alice@client.example>", "250");
    let first = client.ask("RCPT TO:<bob@example.org>");
    pause();
    let second = client.ask("RCPT TO:<bob@example.org>");
    assert_eq!(first, second, "two versions in one session");
    client.says("QUIT", "221");
    first
}
