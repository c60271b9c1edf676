//! `postgate serve`: runs the gateway until a signal.

use std::fs;
use std::future::{Future, pending};
use std::io;
use std::time::Duration;

use postgate::{Controller, Gateway, RunError};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::config_source::ConfigSource;
use super::failure::Failure;
use crate::telemetry;

pub(super) fn run(source: &ConfigSource) -> Result<(), Failure> {
    // If this fails, loading the configuration reports the missing directory, unless the command line
    // names another one.
    if source.config.is_none()
        && let Err(error) = fs::create_dir_all(BUILT_IN_PLUGINS)
    {
        eprintln!("{BUILT_IN_PLUGINS}: {error}");
    }
    let config = source.load()?;
    telemetry::start(&config.log);
    let mut builder = runtime::Builder::new_multi_thread();
    if let Some(workers) = config.runtime.workers {
        builder.worker_threads(workers);
    }
    let runtime = builder.enable_all().build().map_err(Failure::runtime)?;
    let served = runtime.block_on(async {
        // The handlers come first, since the default action of these signals ends the process.
        let stop = stop_signal().map_err(Failure::runtime)?;
        let hang_up = signal(SignalKind::hangup()).map_err(Failure::runtime)?;
        let gateway = Gateway::start(config).await.map_err(failure)?;
        let reload = reload_on_signal(hang_up, gateway.controller());
        gateway
            .serve(async {
                tokio::select! {
                    () = stop => {}
                    () = reload => {}
                }
            })
            .await;
        Ok(())
    });
    // Blocking tasks, such as the compilation of a plugin, cannot be cancelled.
    runtime.shutdown_timeout(BLOCKING_TASK_TIMEOUT);
    served
}

fn failure(error: RunError) -> Failure {
    match error {
        RunError::Plugins(errors) => Failure::input(errors),
        RunError::Tls(errors) => Failure::input(errors),
        error if error.is_configuration() => Failure::input(vec![error]),
        error => Failure::runtime(error),
    }
}

/// Returns a future that completes at the first SIGTERM or SIGINT.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Reloads the files of the gateway at each SIGHUP. Does not return.
async fn reload_on_signal(mut hang_up: Signal, controller: Controller) {
    while hang_up.recv().await.is_some() {
        info!("reloading");
        controller.reload().await;
    }
    pending().await
}

/// The time limit for blocking tasks to end after the gateway has.
const BLOCKING_TASK_TIMEOUT: Duration = Duration::from_secs(1);
/// The directory of plugins that [`postgate_config::BUILT_IN`] names.
const BUILT_IN_PLUGINS: &str = "run/plugins";
