//! When a plugin that keeps failing is taken out.

use std::time::Duration;

use crate::config::document::Section;
use crate::config::value::Timeout;

/// When a plugin that keeps failing is taken out, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerRules {
    /// So many failures take it out. 0: none ever do.
    pub failures: u32,
    /// The time within which they must happen.
    pub window: Duration,
    /// How long it is out at first. Each failed trial doubles that.
    pub back_off: Duration,
    /// The longest that it is out at a time.
    pub max_back_off: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            failures: 10,
            window: Duration::from_secs(60),
            back_off: Duration::from_secs(10),
            max_back_off: Duration::from_secs(600),
        }
    }
}

pub(super) fn read(section: &mut Section<'_>) -> BreakerRules {
    let default = BreakerRules::default();
    let failures = section.or("failures", default.failures);
    if failures > MAX_FAILURES {
        section.conflict("failures", format!("is at most {MAX_FAILURES}"));
    }
    let timeout = |section: &mut Section<'_>, key, default| section.or(key, Timeout(default)).0;
    let window = timeout(section, "window", default.window);
    let back_off = timeout(section, "back-off", default.back_off);
    let max_back_off = section
        .or("max-back-off", Timeout(default.max_back_off.max(back_off)))
        .0;
    if max_back_off < back_off {
        section.conflict("max-back-off", "is shorter than back-off".to_owned());
    }
    BreakerRules {
        failures,
        window,
        back_off,
        max_back_off,
    }
}

/// So many failures are remembered at most.
const MAX_FAILURES: u32 = 10_000;
