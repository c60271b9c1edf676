//! The limits on the memory of an instance.

use std::sync::Arc;

use crate::error::is_of_host;
use crate::resources::MemoryBudget;

/// Bounds the memories of an instance together, and its tables. A component that consists of several
/// modules can have several memories. What the instance has is taken from the budget of all instances until
/// this is dropped.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    limit: usize,
    budget: Arc<MemoryBudget>,
    /// The octets of memories.
    used: usize,
    /// The octets of tables.
    tables: usize,
    /// The growth of a memory that was last requested, which is taken back if it fails.
    requested: usize,
    denied: Option<Denied>,
}

/// Who denied memory to a guest during a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Denied {
    /// The limit of the plugin.
    Plugin,
    /// The budget of all instances, which is this.
    Budget(u64),
    /// The system, although the limits allow it.
    Machine,
}

impl MemoryLimit {
    pub(super) const fn new(octets: u32, budget: Arc<MemoryBudget>) -> Self {
        Self {
            // Lossless: wasmtime supports no machine whose usize is smaller than a u32.
            limit: octets as usize,
            budget,
            used: 0,
            tables: 0,
            requested: 0,
            denied: None,
        }
    }

    /// Forgets what was denied during earlier calls.
    pub(super) const fn begin_call(&mut self) {
        self.denied = None;
    }

    /// Who denied memory during the call. Whatever is not the fault of the plugin excuses it.
    pub(crate) const fn denied(&self) -> Option<Denied> {
        self.denied
    }

    fn deny(&mut self, by: Denied) {
        self.denied = self.denied.max(Some(by));
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        self.budget.give_back(self.used + self.tables);
    }
}

impl wasmtime::ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let requested = desired.saturating_sub(current);
        self.requested = 0;
        if requested > self.limit.saturating_sub(self.used) {
            self.deny(Denied::Plugin);
            return Ok(false);
        }
        if !self.budget.take(requested) {
            self.deny(Denied::Budget(self.budget.limit()));
            return Ok(false);
        }
        self.requested = requested;
        self.used += requested;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        if is_of_host(&error) {
            self.deny(Denied::Machine);
        }
        self.budget.give_back(self.requested);
        self.used -= self.requested;
        self.requested = 0;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            return Ok(false);
        }
        let octets = desired.saturating_sub(current) * TABLE_ELEMENT;
        let fits = self.budget.take(octets);
        match fits {
            true => self.tables += octets,
            false => self.deny(Denied::Budget(self.budget.limit())),
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        MAX_MODULES as usize
    }

    fn tables(&self) -> usize {
        MAX_TABLES as usize
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES as usize
    }
}

/// The octets of an element of a table, in the engine.
const TABLE_ELEMENT: usize = size_of::<usize>();
/// The greatest number of elements of a table.
const MAX_TABLE_ELEMENTS: usize = 100_000;
/// The greatest number of core modules of a component.
pub(crate) const MAX_MODULES: u32 = 64;
/// The greatest number of memories of an instance. The pool is sized for it: an instance with more
/// would take the memories of other sessions.
pub(crate) const MAX_MEMORIES: u32 = 2;
/// The greatest number of tables of an instance, for the same reason.
pub(crate) const MAX_TABLES: u32 = 4;

#[cfg(test)]
mod tests {
    use wasmtime::ResourceLimiter as _;

    use super::*;

    fn limit(octets: u32, budget: u64) -> MemoryLimit {
        MemoryLimit::new(octets, Arc::new(MemoryBudget::new(Some(budget))))
    }

    #[test]
    fn memories_are_counted_together() {
        let mut memory = limit(100, 1_000);
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.memory_growing(0, 40, None).unwrap());
        assert_eq!(memory.denied(), None);
        assert!(!memory.memory_growing(60, 61, None).unwrap());
        assert_eq!(memory.denied(), Some(Denied::Plugin));
        memory.begin_call();
        assert_eq!(memory.denied(), None);
    }

    #[test]
    fn the_system_and_the_guest_are_told_apart() {
        let mut memory = limit(100, 1_000);
        assert!(memory.memory_growing(0, 60, None).unwrap());
        let of_guest = wasmtime::format_err!("memory growth exceeds memory type's limits");
        memory.memory_grow_failed(of_guest).unwrap();
        assert_eq!(memory.denied(), None);
        let of_system = std::io::Error::from(std::io::ErrorKind::OutOfMemory);
        memory.memory_grow_failed(of_system.into()).unwrap();
        assert_eq!(memory.denied(), Some(Denied::Machine));
        assert_eq!(memory.budget.used(), 0);
    }

    #[test]
    fn instances_share_a_budget_until_they_are_gone() {
        let mut one = limit(100, 150);
        let mut other = MemoryLimit::new(100, Arc::clone(&one.budget));
        assert!(one.memory_growing(0, 100, None).unwrap());
        assert!(!other.memory_growing(0, 60, None).unwrap());
        assert_eq!(other.denied(), Some(Denied::Budget(150)));
        assert!(other.table_growing(0, 6, None).unwrap());
        assert!(!other.table_growing(6, 7, None).unwrap());
        drop(one);
        assert!(other.memory_growing(0, 60, None).unwrap());
        let budget = Arc::clone(&other.budget);
        drop(other);
        assert_eq!(budget.used(), 0);
    }
}
