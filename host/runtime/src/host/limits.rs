//! The limits that hold for a guest, in one call and over all of them.

/// Bounds all memories of an instance together and its tables, and remembers whether the guest ran
/// into it. A component made of several modules has several memories.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    limit: usize,
    used: usize,
    asked: usize,
    pub(crate) exceeded: bool,
}

impl MemoryLimit {
    pub(super) const fn new(octets: u32) -> Self {
        Self {
            // A u32 fits into a usize on every machine that this program runs on.
            limit: octets as usize,
            used: 0,
            asked: 0,
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
        self.asked = desired.saturating_sub(current);
        let fits = self.asked <= self.limit.saturating_sub(self.used);
        match fits {
            true => self.used += self.asked,
            false => self.exceeded = true,
        }
        Ok(fits)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.used -= self.asked.min(self.used);
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

const MAX_TABLE_ELEMENTS: usize = 100_000;
/// The most core instances that a component may be made of.
pub(crate) const MAX_MODULES: u32 = 64;
/// The most memories of an instance. The pool has as many for each: an instance with more of them
/// would take those of other sessions.
pub(crate) const MAX_MEMORIES: u32 = 2;
/// The most tables of an instance, for the same reason.
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
}
