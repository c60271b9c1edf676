//! Inspection of a plugin file without running it.

use std::path::Path;

use super::check::{Import, event_name, import_names};
use super::error::LoadError;
use super::loader::compile;
use super::source::Source;
use crate::engine::Runtime;

/// The output of `postgate plugin inspect`.
#[derive(Debug)]
pub struct Inspection {
    /// The size of the file in octets.
    pub size: u64,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// The names of the exported events, without `on-`.
    pub events: Vec<String>,
    /// The imports.
    pub imports: Vec<String>,
    /// The grants that the imports need.
    pub grants: Vec<&'static str>,
    /// The imports that no grant allows.
    pub refused: Vec<String>,
    /// The initial memory in octets, or `None` if it is not known.
    pub memory: Option<u64>,
}

/// Inspects a plugin without running it.
///
/// # Errors
///
/// Fails if the file cannot be read, or contains no valid component.
pub async fn inspect(
    runtime: &Runtime,
    file: &Path,
    max_file_size: u64,
) -> Result<Inspection, LoadError> {
    let source = Source::read(file, max_file_size)?;
    let size = source.wasm.len() as u64;
    let sha256 = source.content.sha256;
    let component = compile(runtime, file, &source.wasm, &sha256)
        .await?
        .component;
    let engine = runtime.engine();
    let imports = import_names(engine, &component);
    let mut grants = Vec::new();
    let mut refused = Vec::new();
    for name in &imports {
        match Import::of(name) {
            Import::Allowed => {}
            Import::Granted(grant) => grants.push(grant.name()),
            Import::Unknown => refused.push(name.clone()),
        }
    }
    grants.dedup();
    let component_type = component.component_type();
    let exports = component_type.exports(engine);
    let events = exports.filter_map(|(name, _)| event_name(name).map(str::to_owned));
    Ok(Inspection {
        size,
        sha256,
        events: events.collect(),
        grants,
        refused,
        memory: component
            .resources_required()
            .and_then(|resources| resources.max_initial_memory_size)
            .map(|pages| pages.saturating_mul(WASM_PAGE)),
        imports,
    })
}

/// The size of a page of WebAssembly memory in octets.
const WASM_PAGE: u64 = 64 << 10;
