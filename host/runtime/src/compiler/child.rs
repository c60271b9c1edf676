//! What the child does: it gives up what it does not need, compiles its standard input, and reports to its
//! standard output.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::process;
use std::thread;
use std::time::Duration;

use rayon::ThreadPoolBuilder;
use wasmtime::Engine;

use super::code_config::code_config;
use super::confinement::{Missing, confine, limit_resources};
use super::report::{Outcome, Report};
use super::request::{self, LENGTH};
use super::translate::translate;

/// Compiles the plugin file on standard input, and writes a report to standard output for the gateway that
/// has started this process. The limits come before the file.
///
/// The command that [`Plugins::compiler`](postgate_config::Plugins::compiler) names calls this early, before
/// it opens files or starts threads, and ends then. It writes nothing else to standard output.
///
/// # Errors
///
/// Fails if standard input is not what a gateway writes, or if standard output fails.
pub fn compile_standard_input() -> io::Result<()> {
    let report = match prepare() {
        Ok((engine, missing)) => Report {
            missing,
            outcome: compile(&engine)?,
        },
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(error),
        Err(error) => Report {
            missing: Missing::default(),
            outcome: Outcome::Failed(error.to_string()),
        },
    };
    let mut output = io::stdout().lock();
    output.write_all(&report.head())?;
    output.write_all(report.code())?;
    output.flush()
}

/// Reads the limits, and makes this process one that may look at the file.
fn prepare() -> io::Result<(Engine, Missing)> {
    let mut octets = [0; LENGTH];
    io::stdin().lock().read_exact(&mut octets)?;
    let limits = request::parse(&octets).ok_or_else(|| {
        let text = "standard input does not come from a gateway of this version";
        io::Error::new(ErrorKind::UnexpectedEof, text)
    })?;
    let failed = |what| move |error| io::Error::other(format!("{what}: {error}"));
    limit_resources(limits.memory, limits.cpu).map_err(failed("a limit cannot be set"))?;
    let engine = Engine::new(&code_config()).map_err(io::Error::other)?;
    let missing = confine().map_err(failed("a privilege cannot be given up"))?;
    end_after(limits.elapsed).map_err(failed(NO_THREAD))?;
    start_threads().map_err(failed(NO_THREAD))?;
    Ok((engine, missing))
}

fn compile(engine: &Engine) -> io::Result<Outcome> {
    let mut wasm = Vec::new();
    io::stdin().lock().read_to_end(&mut wasm)?;
    Ok(match translate(engine, wasm) {
        Ok(compiled) => Outcome::Compiled(compiled),
        Err(error) => Outcome::Refused(error),
    })
}

/// Ends this process after a time. The gateway does so, unless it is gone.
fn end_after(time: Duration) -> io::Result<()> {
    let watch = move || {
        thread::sleep(time.saturating_add(GRACE));
        process::exit(1);
    };
    let thread = thread::Builder::new().stack_size(WATCH_STACK);
    thread.spawn(watch)?;
    Ok(())
}

/// Starts the threads that the engine compiles with. It would start them itself, and panic without them.
fn start_threads() -> io::Result<()> {
    let threads = ThreadPoolBuilder::new().num_threads(THREADS);
    threads.build_global().map_err(io::Error::other)
}

/// What fails if the system allows no more threads.
const NO_THREAD: &str = "no thread can be started (ulimit -u, pids.max)";

/// The number of threads that compile. Each has a stack and memory of its own, which count.
const THREADS: usize = 4;

/// The time that the gateway has to end a child itself.
const GRACE: Duration = Duration::from_secs(1);

/// The stack of the thread that does nothing but wait, in octets.
const WATCH_STACK: usize = 64 << 10;
