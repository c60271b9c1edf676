//! Loads the plugins of a registry.

use std::mem;
use std::path::Path;
use std::sync::Arc;

use super::plan::LoadOutcome;
use super::settings::RegistrySettings;
use super::table::SharedTable;
use crate::engine::Runtime;
use crate::load::{LoadError, Source, compile, load};
use crate::loaded::LoadedPlugin;

/// Loads plugins from their files.
pub(super) struct Loader {
    pub(super) runtime: Arc<Runtime>,
    pub(super) settings: RegistrySettings,
}

impl Loader {
    pub(super) const fn new(runtime: Arc<Runtime>, settings: RegistrySettings) -> Self {
        Self { runtime, settings }
    }

    /// Compiles a plugin unless its code is in the table, and tries it out.
    pub(super) async fn load(&self, table: &SharedTable, mut source: Source) -> LoadOutcome {
        let file = source.file.clone();
        let content = source.content.clone();
        let wasm = mem::take(&mut source.wasm);
        let compiled = table.lock().compiled_code(&content.sha256);
        let compiled = match compiled {
            Some(code) => Ok(code),
            None => compile(&self.runtime, &file, &wasm, &content.sha256).await,
        };
        drop(wasm);
        let code = match compiled {
            Ok(code) => code,
            Err(error) => return LoadOutcome::refused(Some(content), None, vec![error]),
        };
        let loaded = load(&self.runtime, source, code.clone()).await;
        match loaded.and_then(|plugin| self.check_listeners(plugin, &file)) {
            Ok(plugin) => LoadOutcome::Accepted(content, Box::new(plugin)),
            Err(errors) => LoadOutcome::refused(Some(content), Some(code), errors),
        }
    }

    fn check_listeners(
        &self,
        plugin: LoadedPlugin,
        file: &Path,
    ) -> Result<LoadedPlugin, Vec<LoadError>> {
        let known: Vec<_> = self.settings.listeners.iter().map(String::as_str).collect();
        let mistakes = plugin.sidecar().check_listeners(file, &known);
        match mistakes.is_empty() {
            true => Ok(plugin),
            false => Err(mistakes.into_iter().map(LoadError::from).collect()),
        }
    }
}
