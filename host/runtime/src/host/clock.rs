//! The interface `clock`: the time of day.

use std::time::SystemTime;

use serde_json::json;

use super::state::HostState;
use crate::bindings::host::clock;

impl clock::Host for HostState {
    fn now(&mut self) -> wasmtime::Result<clock::Instant> {
        let now = || {
            let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let since_1970 = since_1970.unwrap_or_default();
            // Sufficient until the year 2106.
            let seconds = u32::try_from(since_1970.as_secs()).unwrap_or(u32::MAX);
            (seconds, since_1970.subsec_nanos())
        };
        let (seconds, nanoseconds) =
            self.external_call_now("clock.now", || json!([]), || (0, 0), now)?;
        Ok(clock::Instant {
            seconds,
            nanoseconds,
        })
    }
}
