//! What host, configuration and tools call things of the plugin contract: events, grants, limits, and
//! the text of the contract (WIT) with its version.

mod event;
mod grant;
mod limits;

pub use self::event::{AnswerKind, Event, TimeLimits};
pub use self::grant::Grant;
pub use self::limits::{BreakerRules, Isolation, OnFailure, PluginLimits};

/// The files of the contract: name and text, in the order in which they refer to each other.
pub const WIT: [(&str, &str); 4] = [
    ("types.wit", include_str!("../../../wit/types.wit")),
    ("events.wit", include_str!("../../../wit/events.wit")),
    ("host.wit", include_str!("../../../wit/host.wit")),
    ("world.wit", include_str!("../../../wit/world.wit")),
];

/// The version of the contract, as its package states it.
pub const VERSION: &str = "0.1.0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_package() {
        let (_, types) = WIT[0];
        assert!(types.contains(&format!("package postgate:plugin@{VERSION};")));
    }
}
