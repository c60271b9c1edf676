//! The rules of the circuit breaker.

use postgate_contract::BreakerRules;

use crate::document::Section;

pub(super) fn read(section: &mut Section<'_>) -> BreakerRules {
    let default = BreakerRules::default();
    let failures = section.value_or("failures", default.failures);
    if failures > MAX_FAILURES {
        section.conflict("failures", format!("is at most {MAX_FAILURES}"));
    }
    let window = section.timeout("window", default.window);
    let back_off = section.timeout("back-off", default.back_off);
    let max_back_off = section.timeout("max-back-off", default.max_back_off.max(back_off));
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

/// The breaker stores the time of each failure within the window.
const MAX_FAILURES: u32 = 10_000;
