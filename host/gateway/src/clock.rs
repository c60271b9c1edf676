//! The clock as events carry it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the current time in seconds since 1970-01-01 UTC. A clock before that gives 0.
pub fn unix_time() -> u32 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}
