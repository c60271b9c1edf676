//! Where the log goes: to standard error, as text for people or as JSON for machines.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _};
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, error, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use crate::log_queue::LogQueue;
use postgate_config::{Log, LogFormat, LogLevel};

/// Makes the log of this process what the operator asked for. Lines go through a queue, so that a reader
/// that stalls holds up nothing.
///
/// # Errors
///
/// Fails if the system has no thread for the queue.
///
/// # Panics
///
/// Panics if it is called a second time.
pub(crate) fn start_queued(log: &Log) -> io::Result<LogQueue> {
    let format = log.format;
    let queue = LogQueue::start(io::stderr(), move |dropped| report(format, dropped))?;
    start_with(log, queue.clone());
    panic::set_hook(Box::new(log_panic));
    Ok(queue)
}

/// Writes a panic to the log, instead of text of its own to standard error. The task that panicked ends;
/// what depends on it is told to try later.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
    error!(
        thread = thread.name(),
        location = panic.location().map(tracing::field::display),
        cause = panic.payload_as_str(),
        backtrace = backtrace.as_ref().map(tracing::field::display),
        "panicked"
    );
}

/// The line of the log that says how many lines were dropped.
fn report(format: LogFormat, dropped: u64) -> Vec<u8> {
    let line = LineBuffer::default();
    let subscriber = tracing_subscriber::registry().with(layer(format, line.clone()));
    tracing::subscriber::with_default(subscriber, || {
        warn!(dropped, "lines of the log were dropped: nobody read them");
    });
    let mut line = line.0.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut line)
}

/// Keeps a line in memory.
#[derive(Clone, Default)]
struct LineBuffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for LineBuffer {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LineBuffer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Keeps each entry of the log in one line: some libraries write several, and whoever reads the log
/// would take the others for entries of their own.
struct OneLine<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine(self.0.make_writer())
    }
}

impl<W: io::Write> io::Write for OneLine<W> {
    /// Writes an entry, which the subscriber formats as a whole.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let text = entry.strip_suffix(b"\n").unwrap_or(entry);
        if !text.contains(&b'\n') {
            return self.0.write(entry);
        }
        let lines: Vec<_> = text.split(|octet| *octet == b'\n').collect();
        let mut line = lines.join(b"\\n".as_slice());
        line.extend_from_slice(&entry[text.len()..]);
        self.0.write_all(&line)?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Makes the log of this process what `log` asks for, with each line written at once.
fn start(log: &Log) {
    start_with(log, io::stderr);
}

fn layer<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer()
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed(),
        LogFormat::Text => lines.compact().with_target(false).boxed(),
    }
}

fn start_with<W>(log: &Log, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = Targets::new().with_default(log.level.default).with_targets(
        log.level
            .modules
            .iter()
            .flat_map(|(name, level)| targets(name).map(|target| (target, *level))),
    );
    tracing_subscriber::registry()
        .with(layer(log.format, OneLine(writer)).with_filter(filter))
        .init();
}

/// The prefixes of the log targets of a module as an operator names it: `postgate::delivery` is a crate
/// of its own, as are others.
fn targets(module: &str) -> impl Iterator<Item = String> {
    let crates = CRATES.iter().filter_map(move |(name, prefix)| {
        let rest = module.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with("::")).then(|| format!("{prefix}{rest}"))
    });
    std::iter::once(module.to_owned()).chain(crates)
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
const CRATES: [(&str, &str); 9] = [
    ("postgate::config", "postgate_config"),
    ("postgate::delivery", "postgate_delivery"),
    ("postgate::dns", "postgate_dns"),
    ("postgate::mime", "postgate_mime"),
    ("postgate::plugin", "postgate_runtime"),
    ("postgate::recording", "postgate_runtime::recording"),
    ("postgate::runtime", "postgate_runtime"),
    ("postgate::spool", "postgate_spool"),
    ("postgate::tls", "postgate_tls"),
];

/// The module that writes the lines of plugins.
const PLUGIN_LOG: &str = "postgate_runtime::host";

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics on other threads meanwhile are written to standard error as usual: this subscriber is that
    /// of this thread, and the hook is called on theirs.
    #[test]
    fn a_panic_is_a_line_of_the_log() {
        let line = LineBuffer::default();
        let subscriber = tracing_subscriber::registry().with(layer(LogFormat::Json, line.clone()));
        let usual = panic::take_hook();
        let own = thread::current().id();
        panic::set_hook(Box::new(move |panic| match thread::current().id() == own {
            true => log_panic(panic),
            false => usual(panic),
        }));
        let caught = tracing::subscriber::with_default(subscriber, || {
            panic::catch_unwind(|| panic!("for this test"))
        });
        _ = panic::take_hook();
        assert!(caught.is_err());
        let text = String::from_utf8(line.0.lock().unwrap().clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["message"], "panicked");
        assert_eq!(line["cause"], "for this test");
        assert!(line["location"].as_str().unwrap().contains("telemetry.rs:"));
    }

    #[test]
    fn an_entry_is_one_line() {
        for format in [LogFormat::Json, LogFormat::Text] {
            let lines = LineBuffer::default();
            let writer = OneLine(lines.clone());
            let subscriber = tracing_subscriber::registry().with(layer(format, writer));
            tracing::subscriber::with_default(subscriber, || {
                tracing::info!("one\ntwo\n");
                tracing::info!("three");
            });
            let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
            let lines: Vec<_> = text.lines().collect();
            assert_eq!(lines.len(), 2, "{text}");
            assert!(lines[0].contains("one\\ntwo\\n"), "{text}");
            assert!(lines[1].contains("three"), "{text}");
        }
    }

    #[test]
    fn modules_are_found_in_their_crates() {
        for (module, expected) in [
            ("postgate::delivery", Some("postgate_delivery")),
            ("postgate::plugin::host", Some("postgate_runtime::host")),
            ("postgate::recording", Some("postgate_runtime::recording")),
            ("postgate::tls", Some("postgate_tls")),
            ("postgate::deliveryx", None),
            ("postgate::server", None),
            ("rustls", None),
        ] {
            let found: Vec<_> = targets(module).collect();
            let expected: Vec<_> = [Some(module), expected].into_iter().flatten().collect();
            assert_eq!(found, expected);
        }
        // A prefix of all crates stays one.
        assert!(targets("postgate").eq(["postgate".to_owned()]));
    }
}
