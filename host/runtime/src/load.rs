//! From files to plugins: a directory goes in, a whole set comes out or every reason why not.

mod error;
pub(crate) mod source;
mod version;

use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use postgate_proto::data::LineEndings;
use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit};
use tokio::time::timeout;
use tracing::info;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as PREVIEW1_ADAPTER,
};
use wasmtime::Engine;
use wasmtime::component::Component as WasmComponent;
use wit_component::ComponentEncoder;

use crate::context::{Context, RemoteHost, SessionFacts};
use crate::engine::Runtime;
use crate::error::PluginError;
use crate::host::wasi;
use crate::load::source::Source;
use crate::loaded::{Identity, LoadedPlugin};
pub use error::LoadError;
use postgate_config::ConfigError;
use postgate_config::sidecar::Sidecar;
use postgate_contract::{Event, Grant};

/// The plugins that serve a session, in their order.
#[derive(Debug, Default)]
pub struct PluginSet {
    /// How many sets there were before this one: it grows by one with each change.
    pub generation: u64,
    /// Sessions ask them in this order.
    pub plugins: Vec<Arc<LoadedPlugin>>,
}

/// Loads one plugin with its sidecar, and tries it once under its real limits.
///
/// # Errors
///
/// Every reason why it cannot be loaded.
pub async fn load_file(
    runtime: &Arc<Runtime>,
    file: &Path,
    max_file_size: u64,
) -> Result<LoadedPlugin, Vec<LoadError>> {
    let mut source = Source::read(file, max_file_size).map_err(|error| vec![error])?;
    let code = compile_elsewhere(runtime, file, mem::take(&mut source.wasm)).await?;
    load(runtime, source, &code).await
}

/// Makes a plugin of what its files hold and of the code that was compiled from that, and tries it once
/// under its real limits.
pub(super) async fn load(
    runtime: &Arc<Runtime>,
    source: Source,
    code: &WasmComponent,
) -> Result<LoadedPlugin, Vec<LoadError>> {
    let Source {
        file,
        content,
        version,
        ..
    } = source;
    let file = file.as_path();
    let sidecar = match &content.sidecar {
        None => Sidecar::default(),
        Some(text) => Sidecar::parse(text, &Sidecar::file_beside(file)).map_err(sidecar_errors)?,
    };
    check_imports(runtime.engine(), code, file, &sidecar.grants).map_err(|error| vec![error])?;
    let pre = runtime
        .linker()
        .instantiate_pre(code)
        .map_err(|error| vec![invalid(file, &format!("{error:#}"))])?;
    let identity = Identity {
        name: plugin_name(file),
        sha256: content.sha256,
        version,
    };
    let mut plugin = LoadedPlugin::new(
        identity,
        sidecar,
        pre,
        runtime.dns().clone(),
        runtime.metrics(),
    );
    check_exports(runtime.engine(), code, file, &plugin).map_err(|error| vec![error])?;
    let events: Vec<_> = plugin.exported_events().collect();
    if events.is_empty() {
        return Err(vec![LoadError::NoEvent(file.to_owned())]);
    }
    if plugin.is_shared() {
        plugin.share(places_to_share(runtime, file, plugin.sidecar())?);
    }
    let mistakes = plugin.sidecar().check_events(file, &events);
    if !mistakes.is_empty() {
        return Err(sidecar_errors(mistakes));
    }
    // The trial takes a place in the pool, like a session: it must not take one from a session. A
    // plugin whose instances are shared has places of its own.
    let place = match plugin.is_shared() {
        true => None,
        false => Some(place_for_trial(runtime, &plugin, file).await?),
    };
    try_out(&plugin).await.map_err(|error| {
        let file = file.to_owned();
        vec![LoadError::Plugin { file, error }]
    })?;
    drop(place);
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

/// Waits for a place as long as a call of the plugin may take: others want to be loaded too.
async fn place_for_trial<'a>(
    runtime: &'a Runtime,
    plugin: &LoadedPlugin,
    file: &Path,
) -> Result<SemaphorePermit<'a>, Vec<LoadError>> {
    let place = timeout(plugin.sidecar().limits.wall, runtime.instances().acquire());
    match place.await {
        Ok(Ok(place)) => Ok(place),
        // The semaphore is never closed.
        Ok(Err(_)) | Err(_) => Err(vec![LoadError::Full(file.to_owned())]),
    }
}

/// Places in the pool for instances that sessions share: a session must never find them taken.
fn places_to_share(
    runtime: &Runtime,
    file: &Path,
    sidecar: &Sidecar,
) -> Result<OwnedSemaphorePermit, Vec<LoadError>> {
    let places = Arc::clone(runtime.instances());
    let count = sidecar.shared_instances;
    places.try_acquire_many_owned(count).map_err(|_| {
        let sidecar = Sidecar::file_beside(file);
        vec![LoadError::NoRoom { sidecar, count }]
    })
}

/// The name of the plugin in a file: that of the file without its ending.
pub(super) fn plugin_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// What `postgate plugin inspect` shows.
#[derive(Debug)]
pub struct Inspection {
    /// The size of the file in octets.
    pub size: u64,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// The names of the events that it exports, without `on-`.
    pub events: Vec<String>,
    /// What it imports.
    pub imports: Vec<String>,
    /// The grants that it needs.
    pub grants: Vec<&'static str>,
    /// The imports that no grant allows.
    pub refused: Vec<String>,
    /// The memory that it needs to start with, in octets.
    pub memory: Option<u64>,
}

/// Looks into a plugin without running it.
///
/// # Errors
///
/// Where it is no component.
pub fn inspect(
    runtime: &Runtime,
    file: &Path,
    max_file_size: u64,
) -> Result<Inspection, LoadError> {
    let source = Source::read(file, max_file_size)?;
    let size = source.wasm.len() as u64;
    let component = compile(runtime, file, source.wasm)?;
    let engine = runtime.engine();
    let imports = import_names(engine, &component);
    let mut grants: Vec<_> = imports.iter().filter_map(|name| grant_for(name)).collect();
    grants.dedup();
    let refused = imports
        .iter()
        .filter(|name| !is_always_allowed(name) && grant_for(name).is_none())
        .cloned()
        .collect();
    let component_type = component.component_type();
    let events = component_type
        .exports(engine)
        .filter_map(|(name, _)| Some(interface_of(name)?.strip_prefix("on-")?.to_owned()))
        .collect();
    Ok(Inspection {
        size,
        sha256: source.content.sha256,
        events,
        grants,
        refused,
        imports,
        memory: component
            .resources_required()
            .and_then(|resources| resources.max_initial_memory_size)
            .map(|pages| pages.saturating_mul(WASM_PAGE)),
    })
}

/// The unit in which WebAssembly counts memory, in octets.
const WASM_PAGE: u64 = 64 << 10;

/// Whether a file has this ending and is not hidden. Editors and copying programs hide what is not
/// yet complete.
pub(super) fn is_visible(file: &Path, ending: &str) -> bool {
    let name = file.file_name().unwrap_or_default();
    !name.as_encoded_bytes().starts_with(b".")
        && file.extension().is_some_and(|found| found == ending)
}

fn sidecar_errors(mistakes: Vec<ConfigError>) -> Vec<LoadError> {
    mistakes.into_iter().map(LoadError::from).collect()
}

/// Compiling takes up to seconds: not on a thread that serves sessions.
pub(super) async fn compile_elsewhere(
    runtime: &Arc<Runtime>,
    file: &Path,
    wasm: Vec<u8>,
) -> Result<WasmComponent, Vec<LoadError>> {
    let compiling = Arc::clone(runtime);
    let path = file.to_owned();
    let compiled = tokio::task::spawn_blocking(move || compile(&compiling, &path, wasm));
    match compiled.await {
        Ok(compiled) => compiled.map_err(|error| vec![error]),
        // A panic of the compiler is its own fault, and no reason to take the process down.
        Err(panic) => Err(vec![invalid(file, &panic)]),
    }
}

fn compile(runtime: &Runtime, file: &Path, wasm: Vec<u8>) -> Result<WasmComponent, LoadError> {
    let octets = as_component(wasm).map_err(|reason| invalid(file, &reason))?;
    WasmComponent::new(runtime.engine(), &octets)
        .map_err(|error| invalid(file, &format!("{error:#}")))
}

/// A component stays as it is; a core module that carries the metadata of one becomes one.
fn as_component(octets: Vec<u8>) -> Result<Vec<u8>, String> {
    if Engine::detect_precompiled(&octets).is_some() {
        return Err("precompiled code is not accepted, since it cannot be checked".into());
    }
    // The preamble: magic number, version, and layer (component-model binary format).
    match octets.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => Ok(octets),
        // What a C library asks of its system is translated into the WASI that components import.
        Some(b"\0asm\x01\0\0\0") => ComponentEncoder::default()
            .validate(true)
            .module(&octets)
            .and_then(|encoder| encoder.adapter(PREVIEW1, PREVIEW1_ADAPTER))
            .and_then(|mut encoder| encoder.encode())
            .map_err(|error| format!("a core module that is none of a component: {error:#}")),
        Some(_) => Err("it does not begin as a WebAssembly file does".into()),
        None => Err("the file is shorter than the preamble of WebAssembly".into()),
    }
}

fn check_imports(
    engine: &Engine,
    component: &WasmComponent,
    file: &Path,
    grants: &[Grant],
) -> Result<(), LoadError> {
    let mut reasons = Vec::new();
    for name in import_names(engine, component) {
        if is_always_allowed(&name) {
            continue;
        }
        match grant_for(&name) {
            Some(grant) if grants.iter().any(|granted| granted.name() == grant) => {}
            Some(grant) => {
                let sidecar = file.with_extension("toml");
                let sidecar = sidecar.display();
                reasons.push(format!(
                    "it imports {name}; to allow that, write grants = [\"{grant}\"] into {sidecar}"
                ));
            }
            None => reasons.push(format!(
                "it imports {name}, which this gateway does not offer"
            )),
        }
    }
    match reasons.is_empty() {
        true => Ok(()),
        false => Err(LoadError::Import {
            file: file.to_owned(),
            reason: reasons.join("; "),
        }),
    }
}

/// An event that is not called would be a filter that lets everything through without a word.
fn check_exports(
    engine: &Engine,
    code: &WasmComponent,
    file: &Path,
    plugin: &LoadedPlugin,
) -> Result<(), LoadError> {
    let is_called = |event: &str| {
        let mut events = plugin.exported_events();
        plugin.is_called_at_loading(event) || events.any(|known| known.name() == event)
    };
    let component_type = code.component_type();
    let exports = component_type.exports(engine).filter_map(|(name, _)| {
        let event = interface_of(name)?.strip_prefix("on-")?;
        (!is_called(event)).then(|| name.to_owned())
    });
    let exports: Vec<_> = exports.collect();
    match exports.is_empty() {
        true => Ok(()),
        false => Err(LoadError::Export {
            file: file.to_owned(),
            exports,
        }),
    }
}

fn import_names(engine: &Engine, component: &WasmComponent) -> Vec<String> {
    let component_type = component.component_type();
    component_type
        .imports(engine)
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn is_always_allowed(import: &str) -> bool {
    if wasi::is_offered(import) {
        return true;
    }
    let allowed = ["config", "log", "message", "session", "types"];
    interface_of(import).is_some_and(|interface| allowed.contains(&interface))
}

fn grant_for(import: &str) -> Option<&'static str> {
    let interface = interface_of(import)?;
    let mut names = Grant::ALL.into_iter().map(Grant::name);
    names.find(|name| *name == interface)
}

/// `store` in `postgate:plugin/store@0.1.0`.
fn interface_of(name: &str) -> Option<&str> {
    name.strip_prefix("postgate:plugin/")?.split('@').next()
}

fn invalid(file: &Path, reason: &dyn std::fmt::Display) -> LoadError {
    LoadError::Component {
        file: file.to_owned(),
        reason: reason.to_string(),
    }
}

/// One instance is made and initialised, another tests itself.
async fn try_out(plugin: &LoadedPlugin) -> Result<(), PluginError> {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let facts = SessionFacts {
        id: "load".into(),
        connected_at: 0,
        listener: String::new(),
        hostname: "localhost".into(),
        banner: String::new(),
        local: nowhere,
        remote: nowhere,
        remote_host: RemoteHost::Unknown,
        proxy: None,
        line_endings: LineEndings::Strict,
    };
    let context = Arc::new(Context::new(Arc::new(facts)));
    plugin.start(&context).await?;
    plugin.start(&context).await?.self_test(&context).await
}
