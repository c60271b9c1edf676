//! Connects the WASI state of an instance with the linker.

use std::sync::PoisonError;

use wasmtime::component::Linker;
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::instance::Wasi;
use super::output::PrintedLines;
use crate::host::HostState;

/// Adds WASI 0.2 to a linker. A component that does not import it has no cost.
///
/// # Errors
///
/// Fails if a function is defined twice.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let grants = &self.plugin.grants;
        let wasi = self.wasi.get_mut().unwrap_or_else(PoisonError::into_inner);
        wasi.get_or_insert_with(|| Box::new(Wasi::new(grants)))
            .view()
    }
}

impl HostState {
    /// Takes the lines that the guest has printed since the last call. An incomplete last line is kept
    /// unless `all` is true, which it is at the end of a call.
    pub(in crate::host) fn take_printed(&mut self, all: bool) -> PrintedLines {
        let wasi = self.wasi.get_mut().unwrap_or_else(PoisonError::into_inner);
        wasi.as_ref()
            .map_or_else(PrintedLines::default, |wasi| wasi.take_printed(all))
    }
}
