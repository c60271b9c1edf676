//! Where the log goes: to standard error, as text for people or as JSON for machines.

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use postgate_config::{Log, LogFormat, LogLevel};

/// Makes the log of this process what the operator asked for.
///
/// # Panics
///
/// Panics if it is called a second time.
pub(crate) fn start(log: &Log) {
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let layer = match log.format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed(),
        LogFormat::Text => lines.compact().with_target(false).boxed(),
    };
    let filter = Targets::new().with_default(log.level.default).with_targets(
        log.level
            .modules
            .iter()
            .map(|(name, level)| (target(name), *level)),
    );
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .init();
}

/// The prefix of the log targets of a module as an operator names it: `postgate::delivery` is a crate of
/// its own, as are others.
fn target(module: &str) -> String {
    let crates = CRATES.iter().find_map(|(name, package)| {
        let rest = module.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with("::")).then(|| format!("{package}{rest}"))
    });
    crates.unwrap_or_else(|| module.to_owned())
}

/// Makes the log of a tool that runs a plugin: what the plugin itself writes, and what is wrong.
///
/// # Panics
///
/// Panics if it is called a second time.
pub(crate) fn start_for_tools(level: LevelFilter) {
    start(&Log {
        level: LogLevel {
            default: LevelFilter::ERROR,
            modules: vec![(PLUGIN_LOG.to_owned(), level)],
        },
        format: LogFormat::Text,
    });
}

/// The names of modules in the configuration, and the crates that they are.
const CRATES: [(&str, &str); 7] = [
    ("postgate::config", "postgate_config"),
    ("postgate::delivery", "postgate_delivery"),
    ("postgate::dns", "postgate_dns"),
    ("postgate::mime", "postgate_mime"),
    ("postgate::plugin", "postgate_runtime"),
    ("postgate::runtime", "postgate_runtime"),
    ("postgate::spool", "postgate_spool"),
];

/// The module that writes the lines of plugins.
const PLUGIN_LOG: &str = "postgate_runtime::host";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_in_their_crates() {
        for (module, expected) in [
            ("postgate::delivery", "postgate_delivery"),
            ("postgate::plugin::host", "postgate_runtime::host"),
            ("postgate::deliveryx", "postgate::deliveryx"),
            ("postgate::server", "postgate::server"),
            ("rustls", "rustls"),
        ] {
            assert_eq!(target(module), expected);
        }
        // A prefix of all crates stays one.
        assert_eq!(target("postgate"), "postgate");
    }
}
