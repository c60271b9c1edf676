//! When a plugin that keeps failing is taken out.

use postgate_contract::BreakerRules;

use crate::document::Section;
use crate::value::Timeout;

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
