//! The clock. The operator must grant it: `grants = ["clock"]` in the sidecar file.

use std::time::{Duration, SystemTime};

use crate::host;

/// The time of day.
pub fn now() -> SystemTime {
    let now = host::clock::now();
    SystemTime::UNIX_EPOCH + Duration::new(now.seconds.into(), now.nanoseconds)
}
