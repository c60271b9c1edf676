//! Who is next: clients in turn, however much each of them has to do.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Work that waits, by client. Each client has one piece of it done before it is another client's turn.
#[derive(Debug)]
pub(super) struct Turns<C, W> {
    /// The clients that have work waiting, the next one in front.
    clients: VecDeque<C>,
    waiting: HashMap<C, VecDeque<W>>,
}

impl<C: Copy + Eq + Hash, W> Turns<C, W> {
    pub(super) fn new() -> Self {
        Self {
            clients: VecDeque::new(),
            waiting: HashMap::new(),
        }
    }

    /// Adds work of a client, after what waits of the same client, or before it if it was begun: what a
    /// client has begun is finished first.
    pub(super) fn push(&mut self, client: C, work: W, is_begun: bool) {
        let waiting = self.waiting.entry(client).or_default();
        if waiting.is_empty() {
            self.clients.push_back(client);
        }
        match is_begun {
            true => waiting.push_front(work),
            false => waiting.push_back(work),
        }
    }

    /// Removes and returns the work that is next.
    pub(super) fn pop(&mut self) -> Option<W> {
        let client = self.clients.pop_front()?;
        let waiting = self.waiting.get_mut(&client)?;
        let work = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&client);
        } else {
            self.clients.push_back(client);
        }
        work
    }

    /// Removes all work, without an order.
    pub(super) fn clear(&mut self) {
        self.clients.clear();
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_with_much_to_do_has_one_turn() {
        let mut turns = Turns::new();
        for work in ["a1", "a2", "a3", "b1", "c1", "c2"] {
            turns.push(work.as_bytes()[0], work, false);
        }
        let mut order = Vec::new();
        while let Some(work) = turns.pop() {
            order.push(work);
            // Whoever comes again waits for all others.
            if work == "b1" {
                turns.push(b'b', "b2", false);
            }
            if work == "a1" {
                turns.push(b'a', "a1 goes on", true);
            }
        }
        let expected = ["a1", "b1", "c1", "a1 goes on", "b2", "c2", "a2", "a3"];
        assert_eq!(order, expected);
        assert!(turns.waiting.is_empty() && turns.clients.is_empty());
    }
}
