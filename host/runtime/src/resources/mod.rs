//! What all instances share, and how it is divided among clients: the processors and the memory.

mod client_cpu;
mod long_calls;
mod memory;
mod ticker;
mod turns;

use std::sync::Arc;

pub use self::client_cpu::ClientCpu;
pub(crate) use self::long_calls::{Ended, Expected, LongCalls, Stopped};
pub use self::memory::MemoryBudget;
pub(crate) use self::ticker::{TICKS_OF_SHORT_CALL, TICKS_OF_SLICE, Ticker};

/// What all instances of a runtime share.
#[derive(Debug)]
pub(crate) struct Resources {
    /// The threads for calls that compute for long.
    pub(crate) long_calls: LongCalls,
    /// The processor time that each client has caused.
    pub(crate) clients: Arc<ClientCpu>,
    /// The memory of all instances together.
    pub(crate) memory: Arc<MemoryBudget>,
}
