//! `postgate serve`: until a signal says that it is enough.

use std::fs;
use std::future::{Future, pending};
use std::io;
use std::time::Duration;

use postgate::{Controller, Gateway, RunError};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::{Failure, Source};
use crate::telemetry;

pub(super) fn run(source: &Source) -> Result<(), Failure> {
    // Where it cannot be made, loading the configuration says that it is missing, unless another
    // directory was named.
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
    let runtime = builder.enable_all().build().map_err(Failure::run_time)?;
    let served = runtime.block_on(async {
        // Before anything else, so that no signal is taken for the end of the process.
        let stop = told_to_stop().map_err(Failure::run_time)?;
        let hang_up = signal(SignalKind::hangup()).map_err(Failure::run_time)?;
        let gateway = Gateway::start(config).await.map_err(failure)?;
        let reload = reload_when_told(hang_up, gateway.controller());
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
    // A plugin that is still being compiled is no reason to stay.
    runtime.shutdown_timeout(LAST_WORK);
    served
}

fn failure(error: RunError) -> Failure {
    match error {
        RunError::Plugins(errors) => Failure::mistakes(errors),
        RunError::Tls(errors) => Failure::mistakes(errors),
        error if error.is_configuration() => Failure::mistakes(vec![error]),
        error => Failure::run_time(error),
    }
}

/// Ends with the first SIGTERM or SIGINT.
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Takes what has changed at each SIGHUP, and never ends.
async fn reload_when_told(mut hang_up: Signal, controller: Controller) {
    while hang_up.recv().await.is_some() {
        info!("reloading");
        controller.reload().await;
    }
    pending().await
}

/// How long work that nobody waits for any more may hold up the end.
const LAST_WORK: Duration = Duration::from_secs(1);
/// The directory of plugins that [`postgate_config::BUILT_IN`] names.
const BUILT_IN_PLUGINS: &str = "run/plugins";
