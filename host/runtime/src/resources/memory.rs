//! The memory of all instances together.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

/// The memory that all instances may have together.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: u64,
    used: AtomicU64,
}

impl MemoryBudget {
    /// A budget of so many octets, or of half the memory of the machine.
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self {
            limit: limit.unwrap_or_else(|| memory_of_machine() / 2),
            used: AtomicU64::new(0),
        }
    }

    /// The most memory of all instances, in octets.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// The memory of all instances that exist, in octets.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// True if a new session may begin. What is left at the end is for the instances of those that exist.
    pub fn has_room(&self) -> bool {
        self.used() < self.limit - self.limit / RESERVE
    }

    /// Takes so many octets. Returns false if that would exceed the budget.
    pub(crate) fn take(&self, octets: usize) -> bool {
        let grown = |used: u64| {
            let grown = used.checked_add(octets as u64)?;
            (grown <= self.limit).then_some(grown)
        };
        let order = Ordering::Relaxed;
        self.used.fetch_update(order, order, grown).is_ok()
    }

    /// Gives back what was taken.
    pub(crate) fn give_back(&self, octets: usize) {
        self.used.fetch_sub(octets as u64, Ordering::Relaxed);
    }
}

/// The part of the budget that is kept for sessions that exist: an eighth.
const RESERVE: u64 = 8;

/// The memory that this process may have, in octets: that of the machine, or of its control group.
fn memory_of_machine() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| total_of(&text));
    // It is the file of the own group inside a container, and of none outside.
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    let least = machine.into_iter().chain(group).min();
    least.unwrap_or(UNKNOWN_MEMORY)
}

/// Returns the memory of the machine, in octets, according to `/proc/meminfo`.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

/// What is assumed of a machine that does not tell its memory, in octets.
const UNKNOWN_MEMORY: u64 = 2 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_exist_have_more_room_than_new_ones() {
        let budget = MemoryBudget::new(Some(800));
        assert!(budget.take(699) && budget.has_room());
        assert!(budget.take(1) && !budget.has_room());
        assert!(!budget.take(101) && budget.take(100));
        assert_eq!(budget.used(), 800);
        assert!(!budget.take(usize::MAX));
        budget.give_back(800);
        assert!(budget.has_room());
    }

    #[test]
    fn the_memory_of_the_machine_is_read() {
        let text = "MemTotal:       24582368 kB\nMemFree:        13047504 kB\n";
        assert_eq!(total_of(text), Some(24_582_368 << 10));
        for text in [
            "",
            "MemTotal: many kB",
            "MemTotal: 7",
            "MemTotal: 18446744073709551615 kB",
        ] {
            assert_eq!(total_of(text), None);
        }
        assert!(memory_of_machine() > 64 << 20);
    }
}
