//! Loads the plugins of a registry.

use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::plan::{LoadJob, LoadOutcome, ScanMode};
use super::scan::{Scan, Stamp};
use super::settings::RegistrySettings;
use super::table::SharedTable;
use crate::engine::Runtime;
use crate::load::{LoadError, Source, compile, load};
use crate::loaded::LoadedPlugin;

/// Scans the plugin directory and loads plugins from it.
pub(super) struct Loader {
    pub(super) runtime: Arc<Runtime>,
    pub(super) settings: RegistrySettings,
}

impl Loader {
    pub(super) const fn new(runtime: Arc<Runtime>, settings: RegistrySettings) -> Self {
        Self { runtime, settings }
    }

    /// Returns the plugin directory, or an empty path if none is configured.
    pub(super) fn directory(&self) -> PathBuf {
        self.settings.directory.clone().unwrap_or_default()
    }

    /// Scans the plugin directory.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be read.
    pub(super) async fn scan(&self) -> io::Result<Scan> {
        let Some(directory) = self.settings.directory.clone() else {
            return Ok(Scan::default());
        };
        // A directory on another machine can be slow.
        spawn_blocking(move || Scan::of(&directory))
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    /// Reads a plugin, compiles it unless its code is in the table, and tries it out.
    pub(super) async fn load(
        &self,
        table: &SharedTable,
        job: &LoadJob,
        mode: ScanMode,
    ) -> LoadOutcome {
        let file = self.directory().join(&job.name);
        let (source, stamp) = self.read(&file).await;
        // An operator who asks for everything says that the files are complete.
        if let Some(stamp) = stamp
            && stamp != job.stamp
            && mode != ScanMode::Everything
        {
            return LoadOutcome::Changed(stamp);
        }
        let mut source = match source {
            Ok(source) => source,
            Err(error) => return LoadOutcome::refused(None, None, vec![error]),
        };
        let content = source.content.clone();
        if table.lock().is_known(job, &content, mode) {
            return LoadOutcome::Known;
        }
        let wasm = mem::take(&mut source.wasm);
        let compiled = table.lock().compiled_code(&content.sha256);
        let compiled = match compiled {
            Some(code) => Ok(code),
            None => compile(&self.runtime, &source.file, &wasm, &content.sha256).await,
        };
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

    /// Reads the files of a plugin, and their stamp after that.
    async fn read(&self, file: &Path) -> (Result<Source, LoadError>, Option<Stamp>) {
        let limit = self.settings.max_file_size;
        let path = file.to_owned();
        let read = spawn_blocking(move || (Source::read(&path, limit), Stamp::of(&path)));
        match read.await {
            Ok((source, stamp)) => (source, Some(stamp)),
            Err(panic) => {
                let error = LoadError::Io {
                    file: file.to_owned(),
                    error: io::Error::other(panic),
                };
                (Err(error), None)
            }
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
