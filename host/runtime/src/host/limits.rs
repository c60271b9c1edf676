//! The limits on the memory of an instance.

use crate::error::is_of_host;

/// Bounds the memories of an instance together, and its tables. A component that consists of several
/// modules can have several memories.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    limit: usize,
    used: usize,
    /// The growth that was last requested, which is taken back if it fails.
    requested: usize,
    /// True if the system refused memory that the limit allows.
    pub(crate) lacks_memory: bool,
    /// True if a request exceeded the limit.
    pub(crate) exceeded: bool,
}

impl MemoryLimit {
    pub(super) const fn new(octets: u32) -> Self {
        Self {
            // Lossless: wasmtime supports no machine whose usize is smaller than a u32.
            limit: octets as usize,
            used: 0,
            requested: 0,
            lacks_memory: false,
            exceeded: false,
        }
    }
}

impl wasmtime::ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.requested = desired.saturating_sub(current);
        let fits = self.requested <= self.limit.saturating_sub(self.used);
        match fits {
            true => self.used += self.requested,
            false => self.exceeded = true,
        }
        Ok(fits)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.lacks_memory |= is_of_host(&error);
        self.used -= self.requested.min(self.used);
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
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
    use super::*;

    #[test]
    fn memories_are_counted_together() {
        use wasmtime::ResourceLimiter as _;
        let mut memory = MemoryLimit::new(100);
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.memory_growing(0, 40, None).unwrap());
        assert!(!memory.exceeded);
        assert!(!memory.memory_growing(60, 61, None).unwrap());
        assert!(memory.exceeded);
    }

    #[test]
    fn the_system_and_the_guest_are_told_apart() {
        use wasmtime::ResourceLimiter as _;
        let mut memory = MemoryLimit::new(100);
        assert!(memory.memory_growing(0, 60, None).unwrap());
        let of_guest = wasmtime::format_err!("memory growth exceeds memory type's limits");
        memory.memory_grow_failed(of_guest).unwrap();
        assert!(!memory.lacks_memory);
        let of_system = std::io::Error::from(std::io::ErrorKind::OutOfMemory);
        memory.memory_grow_failed(of_system.into()).unwrap();
        assert!(memory.lacks_memory && !memory.exceeded);
    }
}
