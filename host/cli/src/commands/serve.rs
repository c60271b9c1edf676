//! `postgate serve`: runs the gateway until a signal.

use std::fs;
use std::future::pending;
use std::io;
use std::pin::pin;
use std::time::Duration;

use postgate::{Controller, Gateway, RunError};
use postgate_config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::config_source::ConfigSource;
use super::failure::Failure;
use crate::log_queue::LogQueue;
use crate::telemetry;

pub(super) fn run(source: &ConfigSource) -> Result<(), Failure> {
    survive_hang_up().map_err(Failure::runtime)?;
    // If this fails, loading the configuration reports the missing directory, unless the command line
    // names another one.
    if source.config.is_none()
        && let Err(error) = fs::create_dir_all(BUILT_IN_PLUGINS)
    {
        eprintln!("{BUILT_IN_PLUGINS}: {error}");
    }
    let config = source.load()?;
    let log = telemetry::start_queued(&config.log).map_err(Failure::runtime)?;
    raise_open_files();
    let mut builder = runtime::Builder::new_multi_thread();
    if let Some(workers) = config.runtime.workers {
        builder.worker_threads(workers);
    }
    let runtime = builder.enable_all().build().map_err(Failure::runtime)?;
    let served = runtime.block_on(serve(config, &log));
    match served {
        // Blocking tasks, such as the compilation of a plugin, cannot be cancelled.
        Ok(End::Stopped) | Err(_) => runtime.shutdown_timeout(BLOCKING_TASK_TIMEOUT),
        // Sessions are dropped, and say what they leave undone.
        Ok(End::AtOnce) => runtime.shutdown_timeout(AT_ONCE),
    }
    log.flush(LOG_TIMEOUT);
    served.map(drop)
}

/// Handles SIGHUP from now on, whose default action ends the process: an operator may send it as soon as
/// the gateway has a process id. What it asks for, new files, is read after this.
fn survive_hang_up() -> io::Result<()> {
    // The handler stays in place when this runtime is gone.
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    signal(SignalKind::hangup()).map(drop)
}

/// Raises the soft limit of open files to the hard one.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, "cannot raise the limit of open files");
    }
}

/// How a gateway has ended.
#[derive(Clone, Copy)]
enum End {
    /// By a signal during the start, or by a second one.
    AtOnce,
    /// After its sessions.
    Stopped,
}

/// Serves until a signal. A signal during the start, and a second one after it, act at once.
async fn serve(config: Config, log: &LogQueue) -> Result<End, Failure> {
    // The handlers come first, since the default action of these signals ends the process.
    let mut stop = StopSignals::new().map_err(Failure::runtime)?;
    let hang_up = signal(SignalKind::hangup()).map_err(Failure::runtime)?;
    let _limits = survive_limits().map_err(Failure::runtime)?;
    let gateway = tokio::select! {
        started = Gateway::start(config) => started.map_err(failure)?,
        () = stop.next() => {
            info!("stopped during the start");
            return Ok(End::AtOnce);
        }
    };
    let controller = gateway.controller();
    log.count_dropped(move |lines| controller.count_dropped_log_lines(lines));
    let mut reload = pin!(reload_on_signal(hang_up, gateway.controller()));
    let (stopping, stopped) = oneshot::channel::<()>();
    let mut serving = pin!(gateway.serve(async {
        // Dropping the sender is the signal.
        _ = stopped.await;
    }));
    tokio::select! {
        () = &mut serving => return Ok(End::Stopped),
        () = &mut reload => {}
        () = stop.next() => {}
    }
    drop(stopping);
    tokio::select! {
        () = &mut serving => Ok(End::Stopped),
        () = stop.next() => {
            warn!("a second signal: ending at once");
            Ok(End::AtOnce)
        }
    }
}

fn failure(error: RunError) -> Failure {
    match error {
        error if !error.is_configuration() => Failure::runtime(error),
        RunError::Plugins(errors) => Failure::input(errors),
        RunError::Tls(errors) => Failure::input(errors),
        error => Failure::input(vec![error]),
    }
}

/// The signals that stop the gateway: SIGTERM and SIGINT.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Handles the signals that resource limits send, whose default action ends the process: SIGXFSZ for the
/// size of a file, whose writes then fail, and SIGXCPU for the soft limit of CPU time. (Rust ignores
/// SIGPIPE.)
fn survive_limits() -> io::Result<[Signal; 2]> {
    let handled = |number| signal(SignalKind::from_raw(number));
    Ok([
        handled(rustix::process::Signal::XFSZ.as_raw())?,
        handled(rustix::process::Signal::XCPU.as_raw())?,
    ])
}

/// Reloads the files of the gateway at each SIGHUP. Does not return.
async fn reload_on_signal(mut hang_up: Signal, controller: Controller) {
    while hang_up.recv().await.is_some() {
        info!("reloading");
        controller.reload().await;
    }
    pending().await
}

/// The time limit for writing the last lines of the log.
const LOG_TIMEOUT: Duration = Duration::from_secs(1);
/// The time limit for sessions to be dropped after a second signal.
const AT_ONCE: Duration = Duration::from_millis(100);
/// The time limit for blocking tasks to end after the gateway has.
const BLOCKING_TASK_TIMEOUT: Duration = Duration::from_secs(1);
/// The directory of plugins that [`postgate_config::BUILT_IN`] names.
const BUILT_IN_PLUGINS: &str = "run/plugins";
