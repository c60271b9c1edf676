//! The trial of a plugin at loading: instances are made under the real limits.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::error::LoadError;
use crate::context::{Context, SessionFacts};
use crate::engine::Runtime;
use crate::error::PluginError;
use crate::loaded::LoadedPlugin;

/// Makes and initialises an instance, and lets a second one run the self-test of the plugin.
///
/// # Errors
///
/// Fails if the plugin fails, or if no instance is free in the pool in time.
pub(super) async fn try_out(
    runtime: &Runtime,
    plugin: &LoadedPlugin,
    file: &Path,
) -> Result<(), LoadError> {
    // The trial needs a permit of the pool, as a session does, so that it cannot take the instance of
    // a session. A plugin with shared instances has permits of its own.
    let _permit = match plugin.is_shared() {
        true => None,
        false => Some(pool_permit(runtime, plugin, file).await?),
    };
    let Err(error) = run(plugin).await else {
        return Ok(());
    };
    Err(LoadError::Plugin {
        file: file.to_owned(),
        error: with_files(error, &plugin.unreadable_files().await),
    })
}

/// Adds the files that the plugin could not read to what it says. The plugin knows neither their paths
/// nor the reason.
fn with_files(error: PluginError, unreadable: &[String]) -> PluginError {
    let added = |text: String| match unreadable {
        [] => text,
        files => format!("{text} ({})", files.join("; ")),
    };
    match error {
        PluginError::Init(text) => PluginError::Init(added(text)),
        PluginError::SelfTest(text) => PluginError::SelfTest(added(text)),
        other => other,
    }
}

/// Waits for a permit at most as long as a call of the plugin may take, since other plugins wait to be
/// loaded.
async fn pool_permit<'a>(
    runtime: &'a Runtime,
    plugin: &LoadedPlugin,
    file: &Path,
) -> Result<SemaphorePermit<'a>, LoadError> {
    let permit = timeout(plugin.sidecar().limits.wall, runtime.instances().acquire());
    match permit.await {
        Ok(Ok(permit)) => Ok(permit),
        // The semaphore is never closed: this is the timeout.
        Ok(Err(_)) | Err(_) => Err(LoadError::Full(file.to_owned())),
    }
}

async fn run(plugin: &LoadedPlugin) -> Result<(), PluginError> {
    let unspecified = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let facts = SessionFacts {
        id: "load".into(),
        ..SessionFacts::without_listener(unspecified)
    };
    let context = Arc::new(Context::new(Arc::new(facts)));
    plugin.start(&context).await?;
    plugin.start(&context).await?.self_test(&context).await
}
