//! Compilation of plugin files.

use std::path::Path;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as PREVIEW1_ADAPTER,
};
use wasmtime::component::Component as WasmComponent;
use wasmtime::{Engine, Module};
use wit_component::ComponentEncoder;

use super::error::{ComponentError, LoadError};
use crate::engine::Runtime;

/// Compiles a file on a thread for blocking work, since that takes up to seconds.
///
/// # Errors
///
/// Fails if the file contains no valid component.
pub(crate) async fn compile_blocking(
    runtime: &Arc<Runtime>,
    file: &Path,
    wasm: Vec<u8>,
) -> Result<WasmComponent, LoadError> {
    let runtime = Arc::clone(runtime);
    let compiled = spawn_blocking(move || compile_component(&runtime, wasm)).await;
    // A panic of the compiler makes the file unusable; it does not end the process.
    compiled
        .unwrap_or_else(|panic| Err(ComponentError::Panic(panic)))
        .map_err(|error| error.of(file))
}

/// Compiles a file on this thread.
///
/// # Errors
///
/// Fails if the file contains no valid component.
pub(super) fn compile(
    runtime: &Runtime,
    file: &Path,
    wasm: Vec<u8>,
) -> Result<WasmComponent, LoadError> {
    compile_component(runtime, wasm).map_err(|error| error.of(file))
}

fn compile_component(runtime: &Runtime, wasm: Vec<u8>) -> Result<WasmComponent, ComponentError> {
    let component = as_component(runtime.engine(), wasm)?;
    WasmComponent::new(runtime.engine(), &component).map_err(ComponentError::Invalid)
}

/// Encodes a core module with component metadata as a component. A component stays as it is.
fn as_component(engine: &Engine, wasm: Vec<u8>) -> Result<Vec<u8>, ComponentError> {
    if Engine::detect_precompiled(&wasm).is_some() {
        return Err(ComponentError::Precompiled);
    }
    // The preamble: magic number, version, and layer (component-model binary format).
    match wasm.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => Ok(wasm),
        // The adapter translates the system calls of a C library (WASI preview 1) into the WASI that
        // components import.
        Some(b"\0asm\x01\0\0\0") => {
            // The encoder panics on a module that is cut off.
            Module::validate(engine, &wasm).map_err(ComponentError::CoreModule)?;
            ComponentEncoder::default()
                .validate(true)
                .module(&wasm)
                .and_then(|encoder| encoder.adapter(PREVIEW1, PREVIEW1_ADAPTER))
                .and_then(|mut encoder| encoder.encode())
                .map_err(|error| {
                    ComponentError::CoreModule(wasmtime::Error::from_boxed(error.into()))
                })
        }
        Some(_) => Err(ComponentError::NotWasm),
        None => Err(ComponentError::TooShort),
    }
}
