//! The work of the child: a plugin file becomes a component, and the component machine code.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as PREVIEW1_ADAPTER,
};
use wasmtime::{Engine, Module};
use wit_component::ComponentEncoder;

use super::error::ComponentError;
use super::report::Compiled;
use super::version::version_of;

/// Compiles the content of a plugin file.
///
/// # Errors
///
/// Fails if it is no valid component.
pub(super) fn translate(engine: &Engine, wasm: Vec<u8>) -> Result<Compiled, ComponentError> {
    let version = version_of(&wasm);
    let component = as_component(engine, wasm)?;
    let code = engine.precompile_component(&component);
    Ok(Compiled {
        version,
        code: code.map_err(|error| ComponentError::Invalid(format!("{error:#}")))?,
    })
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
            Module::validate(engine, &wasm)
                .map_err(|error| ComponentError::CoreModule(format!("{error:#}")))?;
            ComponentEncoder::default()
                .validate(true)
                .module(&wasm)
                .and_then(|encoder| encoder.adapter(PREVIEW1, PREVIEW1_ADAPTER))
                .and_then(|mut encoder| encoder.encode())
                .map_err(|error| ComponentError::CoreModule(format!("{error:#}")))
        }
        Some(_) => Err(ComponentError::NotWasm),
        None => Err(ComponentError::TooShort),
    }
}
