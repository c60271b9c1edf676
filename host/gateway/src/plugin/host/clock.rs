//! What a guest can know about the time.

use std::time::SystemTime;

use super::HostState;
use crate::plugin::bindings::host::clock;

impl clock::Host for HostState {
    fn now(&mut self) -> wasmtime::Result<clock::Instant> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(clock::Instant {
            // Until the year 2106.
            seconds: u32::try_from(since_1970.as_secs()).unwrap_or(u32::MAX),
            nanoseconds: since_1970.subsec_nanos(),
        })
    }
}
