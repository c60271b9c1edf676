//! The plugin directory as a gateway knows it: what serves, and how a change comes to serve.
//!
//! Every change goes the same way, whoever noticed it: look at the directory, read what has changed,
//! check it, try it out, and put a whole new set in the place of the old one. A file that cannot be
//! used leaves the version before in its place. Sessions keep the set with which they began; it is
//! gone when the last of them is.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tracing::{error, info};

use crate::plugin::component::Component;
use crate::plugin::engine::Runtime;
use crate::plugin::inventory::Inventory;
use crate::plugin::load::{LoadError, compile_elsewhere, load, plugin_name};
use crate::plugin::scan::{Scan, Stamp};
use crate::plugin::shelf::{Care, Shelf};
use crate::plugin::source::Source;

/// What a library is made of.
#[derive(Clone, Debug)]
pub struct LibrarySettings {
    /// The directory of `.wasm` files and their sidecars. Nothing: no plugins, ever.
    pub directory: Option<PathBuf>,
    /// The largest plugin file, in octets.
    pub max_file_size: u64,
    /// The listeners that sidecars may name.
    pub listeners: Vec<String>,
}

/// All plugins of a gateway.
pub struct Library {
    runtime: Arc<Runtime>,
    settings: LibrarySettings,
    inventory: ArcSwap<Inventory>,
    shelf: Mutex<Shelf>,
}

/// What was found by looking at the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// Whatever has changed was taken or refused.
    Settled,
    /// Something may still be being written: look again after [`SETTLE`](super::shelf::SETTLE).
    Unsettled,
}

impl Library {
    /// Loads every plugin of the directory.
    ///
    /// # Errors
    ///
    /// Every reason why one of them can not be loaded. There is no library of the others: a gateway
    /// that leaves out a filter lets through what the filter would stop.
    pub async fn open(
        runtime: Arc<Runtime>,
        settings: LibrarySettings,
    ) -> Result<Self, Vec<LoadError>> {
        let library = Self {
            runtime,
            settings,
            inventory: ArcSwap::default(),
            shelf: Mutex::default(),
        };
        let mut shelf = library.shelf.lock().await;
        let scan = match library.scan().await {
            Ok(scan) => scan,
            Err(error) => {
                let file = library.settings.directory.clone().unwrap_or_default();
                return Err(vec![LoadError::Io { file, error }]);
            }
        };
        let mut errors = Vec::new();
        for (name, stamp) in &scan.plugins {
            if let Err(more) = library.take(&mut shelf, name, *stamp, Care::Reread).await {
                errors.extend(more);
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        shelf.note_orphans(scan.orphans);
        library.publish(&mut shelf);
        drop(shelf);
        Ok(library)
    }

    /// What serves new sessions, and how each file fares.
    pub fn current(&self) -> Arc<Inventory> {
        self.inventory.load_full()
    }

    /// The directory of the plugins.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.settings.directory.as_deref()
    }

    /// Reads all files again, even where they look as before, and tries again what was refused.
    /// Whoever asks for it says that they are complete.
    pub async fn reload(&self) -> Arc<Inventory> {
        self.look(Care::Reread).await;
        self.current()
    }

    pub(super) async fn look(&self, care: Care) -> Looked {
        let mut shelf = self.shelf.lock().await;
        let scan = match self.scan().await {
            Ok(scan) => scan,
            Err(error) => {
                shelf.note_trouble(self.settings.directory.as_deref(), &error);
                self.publish(&mut shelf);
                return Looked::Settled;
            }
        };
        shelf.note_end_of_trouble();
        for (name, stamp) in shelf.compare(&scan.plugins, care, Instant::now()) {
            match stamp {
                None => shelf.remove(&name),
                Some(stamp) => {
                    if let Err(errors) = self.take(&mut shelf, &name, stamp, care).await {
                        self.tell(&shelf, &name, &errors);
                    }
                }
            }
        }
        shelf.note_orphans(scan.orphans);
        self.publish(&mut shelf);
        match shelf.take_unsettled() {
            true => Looked::Unsettled,
            false => Looked::Settled,
        }
    }

    async fn scan(&self) -> io::Result<Scan> {
        let Some(directory) = self.settings.directory.clone() else {
            return Ok(Scan::default());
        };
        // A directory on another machine may take its time.
        spawn_blocking(move || Scan::of(&directory))
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    /// Reads a plugin, and makes it the one that serves where it can. Errors are those that nobody was
    /// told yet.
    async fn take(
        &self,
        shelf: &mut Shelf,
        name: &OsStr,
        stamp: Stamp,
        care: Care,
    ) -> Result<(), Vec<LoadError>> {
        let directory = self.settings.directory.clone().unwrap_or_default();
        let file = directory.join(name);
        let limit = self.settings.max_file_size;
        let reading = file.clone();
        let read = spawn_blocking(move || (Source::read(&reading, limit), Stamp::of(&reading)));
        let source = match read.await {
            Ok((_, after)) if after != stamp && care != Care::Reread => {
                shelf.postpone(name, after);
                return Ok(());
            }
            Ok((source, _)) => source,
            Err(panic) => {
                let error = io::Error::other(panic);
                Err(LoadError::Io { file, error })
            }
        };
        let mut source = match source {
            Ok(source) => source,
            Err(error) => return shelf.refuse(name, stamp, None, vec![error]),
        };
        if shelf.knows(name, stamp, &source.content, care) {
            return Ok(());
        }
        let content = source.content.clone();
        let wasm = mem::take(&mut source.wasm);
        let compiled = match shelf.compiled(&content.sha256) {
            Some(code) => Ok(code),
            None => compile_elsewhere(&self.runtime, &source.file, wasm).await,
        };
        let code = match compiled {
            Ok(code) => code,
            Err(errors) => return shelf.refuse(name, stamp, Some((content, None)), errors),
        };
        let loaded = load(&self.runtime, source, &code).await;
        match loaded.and_then(|plugin| self.check_listeners(plugin, &directory.join(name))) {
            Ok(plugin) => {
                // The breaker of the one before counts no longer.
                plugin.metrics().is_open.set(0);
                shelf.accept(name, stamp, content, plugin);
                Ok(())
            }
            Err(errors) => shelf.refuse(name, stamp, Some((content, Some(code))), errors),
        }
    }

    fn check_listeners(&self, plugin: Component, file: &Path) -> Result<Component, Vec<LoadError>> {
        let known: Vec<_> = self.settings.listeners.iter().map(String::as_str).collect();
        let mistakes = plugin.sidecar().check_listeners(file, &known);
        match mistakes.is_empty() {
            true => Ok(plugin),
            false => Err(mistakes.into_iter().map(LoadError::from).collect()),
        }
    }

    /// Tells the operator why a plugin is refused.
    fn tell(&self, shelf: &Shelf, name: &OsStr, errors: &[LoadError]) {
        let plugin = plugin_name(name.as_ref());
        for error in errors {
            match shelf.sha256(name) {
                Some(serves) => {
                    error!(plugin, %error, serves, "plugin refused, the one before serves on");
                }
                None => error!(plugin, %error, "plugin refused"),
            }
        }
        self.runtime.metrics().plugins().refused(&plugin);
    }

    /// Shows what has become of the shelf: to sessions a whole set, at once.
    fn publish(&self, shelf: &mut Shelf) {
        let new = shelf.take_set().map(Arc::new);
        if let Some(set) = &new {
            let plugins = set.plugins.len();
            info!(
                generation = set.generation,
                plugins, "plugins are ready for new sessions"
            );
            let generation = i64::try_from(set.generation).unwrap_or(i64::MAX);
            self.runtime.metrics().plugins().generation.set(generation);
        }
        self.inventory.store(Arc::new(Inventory {
            set: new.unwrap_or_else(|| Arc::clone(&self.current().set)),
            listing: shelf.listing(),
        }));
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
