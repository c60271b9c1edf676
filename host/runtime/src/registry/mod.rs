//! The plugin directory as a gateway knows it: what serves, and how a change comes to serve.
//!
//! Every change goes the same way, whoever noticed it: look at the directory, read what has changed,
//! check it, try it out, and put a whole new set in the place of the old one. A file that cannot be
//! used leaves the version before in its place. Sessions keep the set with which they began; it is
//! gone when the last of them is.

mod entry;
mod inventory;
mod scan;
mod table;
mod watch;

pub use self::inventory::{Inventory, PluginListing, PluginState, State};
pub use self::watch::{WatchSettings, watch};

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore, watch as tokio_watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tracing::{error, info};

use crate::engine::Runtime;
use crate::load::source::Source;
use crate::load::{LoadError, compile_elsewhere, load, plugin_name};
use crate::loaded::LoadedPlugin;
use crate::registry::scan::{Scan, Stamp};
use crate::registry::table::{Care, Job, PluginTable, SETTLE, Taken, Todo};
use postgate_config::Config;

/// What a library is made of.
#[derive(Clone, Debug)]
pub struct RegistrySettings {
    /// The directory of `.wasm` files and their sidecars. Nothing: no plugins, ever.
    pub directory: Option<PathBuf>,
    /// The largest plugin file, in octets.
    pub max_file_size: u64,
    /// The listeners that sidecars may name.
    pub listeners: Vec<String>,
}

impl RegistrySettings {
    /// What a configuration says about it.
    pub fn of(config: &Config) -> Self {
        let listeners = config.listener_names().into_iter();
        Self {
            directory: config.plugins.directory.clone(),
            max_file_size: config.plugins.max_file_size,
            listeners: listeners.map(str::to_owned).collect(),
        }
    }
}

/// All plugins of a gateway.
pub struct PluginRegistry {
    runtime: Arc<Runtime>,
    settings: RegistrySettings,
    inventory: ArcSwap<Inventory>,
    shelf: Mutex<PluginTable>,
    /// One look at a time, so that none decides by what another has seen later.
    looking: tokio::sync::Mutex<()>,
    compilers: Semaphore,
    /// How many plugins are being loaded.
    loading: tokio_watch::Sender<usize>,
    /// A plugin that took long to load is there, and its file may have changed since.
    finished_late: Notify,
}

/// What was found by looking at the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// Whatever has changed was taken or refused, or is being loaded.
    Settled,
    /// The directory cannot be looked into.
    Troubled,
    /// Something may still be being written: look again after [`SETTLE`].
    Unsettled,
}

/// What changes at the same moment serves from the same moment on, unless it takes longer than this
/// to load: then it does not hold up the rest.
const TOGETHER: Duration = Duration::from_millis(500);

impl PluginRegistry {
    /// Loads every plugin of the directory.
    ///
    /// # Errors
    ///
    /// Every reason why one of them cannot be loaded. There is no library of the others: a gateway
    /// that leaves out a filter lets through what the filter would stop.
    pub async fn open(
        runtime: Arc<Runtime>,
        settings: RegistrySettings,
    ) -> Result<Arc<Self>, Vec<LoadError>> {
        let compilers = available_parallelism().map_or(1, usize::from);
        let library = Arc::new(Self {
            runtime,
            settings,
            inventory: ArcSwap::default(),
            shelf: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            // A compiler uses all processors for as long as it can: a few at a time are enough.
            compilers: Semaphore::new(compilers.max(2)),
            loading: tokio_watch::Sender::new(0),
            finished_late: Notify::new(),
        });
        let scan = match library.scan().await {
            Ok(scan) => scan,
            Err(error) => {
                let file = library.settings.directory.clone().unwrap_or_default();
                return Err(vec![LoadError::Io { file, error }]);
            }
        };
        // Nothing is known yet: everything is to be read.
        let all = library
            .shelf()
            .compare(&scan.plugins, Care::Reread, Instant::now());
        let loads = all.jobs.into_iter().map(|job| {
            let loader = Arc::clone(&library);
            tokio::spawn(async move {
                let taken = loader.take(&job, Care::Reread).await;
                loader.shelf().finish(&job, taken)
            })
        });
        let loads: Vec<_> = loads.collect();
        let mut errors = Vec::new();
        for load in loads {
            match load.await {
                Ok(finished) => errors.extend(finished.err().unwrap_or_default()),
                Err(panic) => errors.push(LoadError::Io {
                    file: library.settings.directory.clone().unwrap_or_default(),
                    error: io::Error::other(panic),
                }),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut shelf = library.shelf();
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

    /// Reads all files again, even where they look as before, tries again what was refused, and waits
    /// for all of it. Whoever asks for it says that they are complete.
    pub async fn reload(self: &Arc<Self>) -> Arc<Inventory> {
        // What is being loaded was read before.
        let mut loading = self.loading.subscribe();
        // The sender lives as long as this.
        _ = loading.wait_for(|count| *count == 0).await;
        self.look(Care::Reread).await;
        self.current()
    }

    /// Looks for changes, and tries again what was refused for what may have passed. What is still
    /// being written is waited for.
    pub async fn refresh(self: &Arc<Self>) {
        let mut care = Care::Retry;
        while self.look(care).await == Looked::Unsettled {
            care = Care::Settle;
            sleep(SETTLE).await;
        }
    }

    /// Waits until a plugin that took long is there.
    pub(super) async fn finished_late(&self) {
        self.finished_late.notified().await;
    }

    pub(super) async fn look(self: &Arc<Self>, care: Care) -> Looked {
        let todo = match self.compare(care).await {
            Ok(todo) => todo,
            Err(error) => {
                let mut shelf = self.shelf();
                shelf.note_trouble(self.directory(), &error);
                self.publish(&mut shelf);
                return Looked::Troubled;
            }
        };
        let is_over = Arc::new(AtomicBool::new(false));
        let loads = todo.jobs.into_iter();
        let loads: Vec<_> = loads
            .map(|job| self.start_load(job, care, &is_over))
            .collect();
        let all = async {
            let mut has_changed = false;
            for load in loads {
                // A panic was logged, and the file is read again once it changes.
                has_changed |= load.await.unwrap_or(false);
            }
            has_changed
        };
        let has_changed = match care {
            Care::Reread => all.await,
            // Those that take longer come one by one. One of the others may have changed.
            Care::Retry | Care::Settle => timeout(TOGETHER, all).await.unwrap_or(true),
        };
        let mut shelf = self.shelf();
        is_over.store(true, Ordering::Relaxed);
        self.publish(&mut shelf);
        match todo.is_unsettled || has_changed {
            true => Looked::Unsettled,
            false => Looked::Settled,
        }
    }

    /// What is to be loaded. What is gone asks nobody any more from here on.
    async fn compare(&self, care: Care) -> io::Result<Todo> {
        let _looking = self.looking.lock().await;
        let scan = self.scan().await?;
        let mut shelf = self.shelf();
        shelf.note_end_of_trouble();
        let todo = shelf.compare(&scan.plugins, care, Instant::now());
        shelf.note_orphans(scan.orphans);
        // Where something else changes too, all of it is to be seen at once.
        if todo.jobs.is_empty() {
            self.publish(&mut shelf);
        }
        drop(shelf);
        Ok(todo)
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

    /// Loads a plugin whatever becomes of who wants it, and says whether its file changed meanwhile.
    /// Where the look that found it is over by then, it serves as soon as it is there.
    fn start_load(
        self: &Arc<Self>,
        job: Job,
        care: Care,
        is_over: &Arc<AtomicBool>,
    ) -> JoinHandle<bool> {
        let load = Load::new(Arc::clone(self), job);
        let is_over = Arc::clone(is_over);
        tokio::spawn(async move {
            let library = &load.library;
            let taken = library.take(&load.job, care).await;
            let has_changed = matches!(taken, Taken::Changed(_));
            let mut shelf = library.shelf();
            if let Err(errors) = shelf.finish(&load.job, taken) {
                library.tell(&shelf, &load.job.name, &errors);
            }
            if is_over.load(Ordering::Relaxed) {
                library.publish(&mut shelf);
                library.finished_late.notify_one();
            }
            has_changed
        })
    }

    /// Reads a plugin, compiles it where that was not done yet, and tries it.
    async fn take(&self, job: &Job, care: Care) -> Taken {
        let directory = self.settings.directory.clone().unwrap_or_default();
        let file = directory.join(&job.name);
        let limit = self.settings.max_file_size;
        let reading = file.clone();
        let read = spawn_blocking(move || (Source::read(&reading, limit), Stamp::of(&reading)));
        let source = match read.await {
            Ok((_, after)) if after != job.stamp && care != Care::Reread => {
                return Taken::Changed(after);
            }
            Ok((source, _)) => source,
            Err(panic) => {
                let error = io::Error::other(panic);
                let file = file.clone();
                Err(LoadError::Io { file, error })
            }
        };
        let mut source = match source {
            Ok(source) => source,
            Err(error) => return Taken::refused(None, None, vec![error]),
        };
        let content = source.content.clone();
        if self.shelf().recognises(job, &content, care) {
            return Taken::Known;
        }
        let wasm = mem::take(&mut source.wasm);
        let known = self.shelf().compiled(&content.sha256);
        let compiled = match known {
            Some(code) => Ok(code),
            None => {
                // The semaphore is never closed.
                let _compiler = self.compilers.acquire().await;
                compile_elsewhere(&self.runtime, &source.file, wasm).await
            }
        };
        let code = match compiled {
            Ok(code) => code,
            Err(errors) => return Taken::refused(Some(content), None, errors),
        };
        let loaded = load(&self.runtime, source, &code).await;
        match loaded.and_then(|plugin| self.check_listeners(plugin, &file)) {
            Ok(plugin) => Taken::Accepted(content, Box::new(plugin)),
            Err(errors) => Taken::refused(Some(content), Some(code), errors),
        }
    }

    fn shelf(&self) -> MutexGuard<'_, PluginTable> {
        // Each change of it is whole.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Tells the operator why a plugin is refused.
    fn tell(&self, shelf: &PluginTable, name: &OsStr, errors: &[LoadError]) {
        let plugin = plugin_name(name.as_ref());
        for error in errors {
            match shelf.sha256(name) {
                Some(serves) => {
                    error!(plugin, %error, serves, "plugin refused, the previous version stays in service");
                }
                None => error!(plugin, %error, "plugin refused"),
            }
        }
        self.runtime.metrics().refused(&plugin);
    }

    /// Shows what has become of the shelf: to sessions a whole set, at once.
    fn publish(&self, shelf: &mut PluginTable) {
        let new = shelf.take_set().map(Arc::new);
        if let Some(set) = &new {
            let plugins = set.plugins.len();
            info!(
                generation = set.generation,
                plugins, "plugins are ready for new sessions"
            );
            let generation = i64::try_from(set.generation).unwrap_or(i64::MAX);
            self.runtime.metrics().generation.set(generation);
        }
        self.inventory.store(Arc::new(Inventory {
            set: new.unwrap_or_else(|| Arc::clone(&self.current().set)),
            listing: shelf.listing(),
        }));
    }
}

/// A load under way. However it ends, the file can be loaded again.
struct Load {
    library: Arc<PluginRegistry>,
    job: Job,
}

impl Load {
    fn new(library: Arc<PluginRegistry>, job: Job) -> Self {
        library.loading.send_modify(|count| *count += 1);
        Self { library, job }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.library.shelf().end(&self.job);
        self.library.loading.send_modify(|count| *count -= 1);
    }
}

impl fmt::Debug for PluginRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginRegistry")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
