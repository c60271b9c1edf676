//! Names of the plugin contract that the host, the configuration and the tools share: events,
//! grants, limits, and the text of the contract (WIT) with its version.

mod event;
mod grant;
mod limits;

pub use self::event::{AnswerKind, Event, TimeLimits};
pub use self::grant::Grant;
pub use self::limits::{BreakerRules, Isolation, OnFailure, PluginLimits};

/// The files of the contract, name and text. A file refers only to those before it.
pub const WIT: [(&str, &str); 4] = [
    ("types.wit", include_str!("../../../wit/types.wit")),
    ("events.wit", include_str!("../../../wit/events.wit")),
    ("host.wit", include_str!("../../../wit/host.wit")),
    ("world.wit", include_str!("../../../wit/world.wit")),
];

/// The version of the WIT package `postgate:plugin`.
pub const VERSION: &str = "0.1.0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_matches_the_package() {
        let (_, types) = WIT[0];
        assert!(types.contains(&format!("package postgate:plugin@{VERSION};")));
    }
}
