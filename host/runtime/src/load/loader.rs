//! The steps that turn the files of a plugin into a loaded plugin.

use std::mem;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tracing::info;

use super::check::{check_exports, check_imports};
use super::error::LoadError;
use super::file_name::plugin_name;
use super::source::Source;
use super::trial::try_out;
use crate::compiler::{Code, CompilerError, ComponentError};
use crate::engine::Runtime;
use crate::loaded::{Identity, LoadedPlugin};
use postgate_config::ConfigError;
use postgate_config::sidecar::Sidecar;
use postgate_contract::Event;

/// Loads one plugin with its sidecar, and tries it out once under its real limits.
///
/// # Errors
///
/// Fails if the plugin cannot be loaded, with every reason that was found.
pub async fn load_file(
    runtime: &Arc<Runtime>,
    file: &Path,
    max_file_size: u64,
) -> Result<LoadedPlugin, Vec<LoadError>> {
    let mut source = Source::read(file, max_file_size)?;
    let wasm = mem::take(&mut source.wasm);
    let code = compile(runtime, file, &wasm, &source.content.sha256).await?;
    load(runtime, source, code).await
}

/// Compiles the content of a plugin file, whose SHA-256 is given in hexadecimal digits.
///
/// # Errors
///
/// Fails if the file contains no component, or if its compilation exceeds a limit.
pub(crate) async fn compile(
    runtime: &Runtime,
    file: &Path,
    wasm: &[u8],
    sha256: &str,
) -> Result<Code, LoadError> {
    let compiled = runtime.compiler().compile(wasm, sha256).await;
    compiled.map_err(|error| LoadError::of_compiler(error, file))
}

/// Loads a plugin from its files, which were read, and from its code, which was compiled. Checks and
/// tries it out as [`load_file`] does.
///
/// # Errors
///
/// Fails if the plugin cannot be loaded, with every reason that was found.
pub(crate) async fn load(
    runtime: &Arc<Runtime>,
    source: Source,
    code: Code,
) -> Result<LoadedPlugin, Vec<LoadError>> {
    let file = source.file.clone();
    let mut plugin = link(runtime, source, &code)?;
    let events = check_events(runtime, &file, &code, &plugin)?;
    if plugin.is_shared() {
        plugin.share(shared_permits(runtime, &file, plugin.sidecar())?);
    }
    let mistakes = plugin.sidecar().check_events(&file, &events);
    if !mistakes.is_empty() {
        return Err(sidecar_errors(mistakes));
    }
    try_out(runtime, &plugin, &file).await?;
    let events: Vec<_> = events.into_iter().map(Event::name).collect();
    info!(
        plugin = plugin.name(),
        events = events.join(" "),
        sha256 = plugin.hash(),
        version = plugin.version(),
        "plugin loaded"
    );
    Ok(plugin)
}

/// Parses the sidecar, checks the imports against its grants, and links the code.
fn link(runtime: &Runtime, source: Source, code: &Code) -> Result<LoadedPlugin, Vec<LoadError>> {
    let Source { file, content, .. } = source;
    let sidecar = match &content.sidecar {
        None => Sidecar::default(),
        Some(text) => Sidecar::parse(text, &Sidecar::file_beside(&file)).map_err(sidecar_errors)?,
    };
    check_imports(runtime.engine(), &code.component, &file, &sidecar.grants)?;
    let pre = runtime
        .linker()
        .instantiate_pre(&code.component)
        .map_err(|error| {
            let error = ComponentError::Invalid(format!("{error:#}"));
            LoadError::of_compiler(CompilerError::Component(error), &file)
        })?;
    let identity = Identity {
        name: plugin_name(&file),
        sha256: content.sha256,
        version: code.version.clone(),
    };
    Ok(LoadedPlugin::new(identity, sidecar, pre, runtime))
}

/// Returns the events that the plugin exports.
///
/// # Errors
///
/// Fails if the plugin exports no event, or one that the host does not know.
fn check_events(
    runtime: &Runtime,
    file: &Path,
    code: &Code,
    plugin: &LoadedPlugin,
) -> Result<Vec<Event>, LoadError> {
    check_exports(runtime.engine(), &code.component, file, plugin)?;
    let events: Vec<_> = plugin.exported_events().collect();
    match events.is_empty() {
        true => Err(LoadError::NoEvent(file.to_owned())),
        false => Ok(events),
    }
}

/// Takes permits of the pool for the shared instances of a plugin, which it holds as long as it is
/// loaded: a session must never find the pool full when it needs a shared instance.
fn shared_permits(
    runtime: &Runtime,
    file: &Path,
    sidecar: &Sidecar,
) -> Result<OwnedSemaphorePermit, LoadError> {
    let pool = Arc::clone(runtime.instances());
    let count = sidecar.shared_instances;
    pool.try_acquire_many_owned(count)
        .map_err(|_| LoadError::NoRoom {
            sidecar: Sidecar::file_beside(file),
            count,
        })
}

fn sidecar_errors(mistakes: Vec<ConfigError>) -> Vec<LoadError> {
    mistakes.into_iter().map(LoadError::from).collect()
}
