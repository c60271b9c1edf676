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
/// Where it is called a second time.
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
    let filter = Targets::new()
        .with_default(log.level.default)
        .with_targets(log.level.modules.clone());
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .init();
}

/// Makes the log of a tool that runs a plugin: what the plugin itself writes, and what is wrong.
///
/// # Panics
///
/// Where it is called a second time.
pub(crate) fn start_for_tools(level: LevelFilter) {
    start(&Log {
        level: LogLevel {
            default: LevelFilter::ERROR,
            modules: vec![(PLUGIN_LOG.to_owned(), level)],
        },
        format: LogFormat::Text,
    });
}

/// The module that writes the lines of plugins.
const PLUGIN_LOG: &str = "postgate_runtime::host";
