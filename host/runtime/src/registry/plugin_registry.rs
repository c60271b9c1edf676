//! The registry: the plugin set of new sessions, and the loads that replace it.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::entry::SETTLE_TIME;
use super::inventory::Inventory;
use super::loader::Loader;
use super::plan::{LoadJob, LoadOutcome, Plan, ScanMode};
use super::settings::RegistrySettings;
use super::table::{PluginTable, SharedTable};
use crate::engine::Runtime;
use crate::load::{LoadError, plugin_name};

/// All plugins of a gateway.
pub struct PluginRegistry {
    loader: Loader,
    table: SharedTable,
    inventory: ArcSwap<Inventory>,
    /// Serialises scans, so that none overwrites the result of a later one.
    scanning: Mutex<()>,
    /// The number of loads under way.
    loading: watch::Sender<usize>,
    /// Notified when a load ends after its scan, because the file may have changed meanwhile.
    finished_late: Notify,
}

/// The result of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanResult {
    /// The directory cannot be read.
    Failed,
    /// Every change was loaded or refused, or is being loaded.
    Settled,
    /// A file may still be being written: scan again after [`SETTLE_TIME`].
    Unsettled,
}

impl PluginRegistry {
    /// Loads every plugin of the directory.
    ///
    /// # Errors
    ///
    /// Fails if any plugin cannot be loaded, with the reasons of all of them. The other plugins are not
    /// used without it: a gateway that leaves out a filter passes what the filter would stop.
    pub async fn open(
        runtime: Arc<Runtime>,
        settings: RegistrySettings,
    ) -> Result<Arc<Self>, Vec<LoadError>> {
        let registry = Arc::new(Self {
            loader: Loader::new(runtime, settings),
            table: SharedTable::default(),
            inventory: ArcSwap::default(),
            scanning: Mutex::default(),
            loading: watch::Sender::new(0),
            finished_late: Notify::new(),
        });
        let scan = match registry.loader.scan().await {
            Ok(scan) => scan,
            Err(error) => return Err(registry.directory_error(error).into()),
        };
        let plan = registry
            .table
            .lock()
            .plan(&scan.plugins, ScanMode::Everything, Instant::now());
        let errors = registry.load_all(plan.jobs).await;
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut table = registry.table.lock();
        table.report_orphans(scan.orphans);
        registry.publish(&mut table);
        drop(table);
        Ok(registry)
    }

    /// Loads plugins in parallel, and returns all errors.
    async fn load_all(self: &Arc<Self>, jobs: Vec<LoadJob>) -> Vec<LoadError> {
        let loads = jobs.into_iter().map(|job| {
            let registry = Arc::clone(self);
            tokio::spawn(async move {
                let Self { loader, table, .. } = &*registry;
                let outcome = loader.load(table, &job, ScanMode::Everything).await;
                table.lock().finish_load(&job, outcome)
            })
        });
        // All are started before the first is waited for.
        let loads: Vec<_> = loads.collect();
        let mut errors = Vec::new();
        for load in loads {
            match load.await {
                Ok(Ok(())) => {}
                Ok(Err(refused)) => errors.extend(refused),
                Err(panic) => errors.push(self.directory_error(io::Error::other(panic))),
            }
        }
        errors
    }

    fn directory_error(&self, error: io::Error) -> LoadError {
        LoadError::Io {
            file: self.loader.directory(),
            error,
        }
    }

    /// Returns the plugin set of new sessions, and the status of each plugin file.
    pub fn current(&self) -> Arc<Inventory> {
        self.inventory.load_full()
    }

    /// Returns the plugin directory, or `None` if none is configured.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.loader.settings.directory.as_deref()
    }

    /// Reads all files again, even if they seem unchanged or were refused before, and waits until all
    /// of them are loaded or refused. The caller vouches that the files are complete.
    pub async fn reload(self: &Arc<Self>) -> Arc<Inventory> {
        // A load under way may have read its files before they were complete.
        let mut loading = self.loading.subscribe();
        // The sender lives as long as self.
        _ = loading.wait_for(|count| *count == 0).await;
        self.rescan(ScanMode::Everything).await;
        self.current()
    }

    /// Loads files that have changed, and those that were refused for a transient reason. Waits until
    /// the files are settled.
    pub async fn refresh(self: &Arc<Self>) {
        let mut mode = ScanMode::RetryRefused;
        while self.rescan(mode).await == ScanResult::Unsettled {
            mode = ScanMode::Changed;
            sleep(SETTLE_TIME).await;
        }
    }

    /// Waits until a load ends that outlasted its scan.
    pub(super) async fn finished_late(&self) {
        self.finished_late.notified().await;
    }

    /// Scans the directory and loads what the mode asks for. In the modes other than
    /// [`ScanMode::Everything`], a load that takes longer than [`MAX_WAIT`] continues in the background.
    pub(super) async fn rescan(self: &Arc<Self>, mode: ScanMode) -> ScanResult {
        let plan = match self.plan(mode).await {
            Ok(plan) => plan,
            Err(error) => {
                let mut table = self.table.lock();
                table.directory_failed(self.directory(), &error);
                self.publish(&mut table);
                return ScanResult::Failed;
            }
        };
        let is_over = Arc::new(AtomicBool::new(false));
        let jobs = plan.jobs.into_iter();
        let loads: Vec<_> = jobs
            .map(|job| self.spawn_load(job, mode, &is_over))
            .collect();
        let all = async {
            let mut has_changed = false;
            for load in loads {
                // A panic was logged, and the file is read again when it changes.
                has_changed |= load.await.unwrap_or(false);
            }
            has_changed
        };
        let has_changed = match mode {
            ScanMode::Everything => all.await,
            // After a timeout it is not known if a file has changed.
            ScanMode::Changed | ScanMode::RetryRefused => {
                timeout(MAX_WAIT, all).await.unwrap_or(true)
            }
        };
        let mut table = self.table.lock();
        is_over.store(true, Ordering::Relaxed);
        self.publish(&mut table);
        match plan.is_unsettled || has_changed {
            true => ScanResult::Unsettled,
            false => ScanResult::Settled,
        }
    }

    /// Scans the directory and plans the loads. Plugins whose files are gone are removed.
    async fn plan(&self, mode: ScanMode) -> io::Result<Plan> {
        let _scanning = self.scanning.lock().await;
        let scan = self.loader.scan().await?;
        let mut table = self.table.lock();
        table.directory_recovered();
        let plan = table.plan(&scan.plugins, mode, Instant::now());
        table.report_orphans(scan.orphans);
        // If there are loads, removals are published with them, as one change.
        if plan.jobs.is_empty() {
            self.publish(&mut table);
        }
        drop(table);
        Ok(plan)
    }

    /// Starts a load, which continues even if its result is not awaited. The result is true if the files
    /// changed while they were read. A load that ends after its scan publishes the plugin itself.
    fn spawn_load(
        self: &Arc<Self>,
        job: LoadJob,
        mode: ScanMode,
        is_over: &Arc<AtomicBool>,
    ) -> JoinHandle<bool> {
        let task = LoadTask::new(Arc::clone(self), job);
        let is_over = Arc::clone(is_over);
        tokio::spawn(async move {
            let LoadTask { registry, job } = &task;
            let outcome = registry.loader.load(&registry.table, job, mode).await;
            let has_changed = matches!(outcome, LoadOutcome::Changed(_));
            let mut table = registry.table.lock();
            if let Err(errors) = table.finish_load(job, outcome) {
                registry.report_refusal(&table, &job.name, &errors);
            }
            if is_over.load(Ordering::Relaxed) {
                registry.publish(&mut table);
                registry.finished_late.notify_one();
            }
            has_changed
        })
    }

    /// Logs and counts that a plugin was refused, or that the host failed to load it.
    fn report_refusal(&self, table: &PluginTable, name: &OsStr, errors: &[LoadError]) {
        let plugin = plugin_name(name.as_ref());
        let metrics = self.loader.runtime.metrics();
        let mut is_refused = false;
        for error in errors {
            if let Some(cause) = error.host_cause() {
                warn!(plugin, %error, cause, "the host failed to load a plugin, and tries again");
                metrics.load_failed(&plugin, cause);
                continue;
            }
            is_refused = true;
            match table.active_sha256(name) {
                Some(serves) => {
                    error!(plugin, %error, serves, "plugin refused, the previous version stays in service");
                }
                None => error!(plugin, %error, "plugin refused"),
            }
        }
        if is_refused {
            metrics.refused(&plugin);
        }
    }

    /// Publishes the state of the table: new sessions get a changed set as a whole.
    fn publish(&self, table: &mut PluginTable) {
        let changed = table.take_changed_set().map(Arc::new);
        if let Some(set) = &changed {
            let plugins = set.plugins.len();
            info!(
                generation = set.generation,
                plugins, "plugins are ready for new sessions"
            );
            let generation = i64::try_from(set.generation).unwrap_or(i64::MAX);
            self.loader.runtime.metrics().generation.set(generation);
        }
        self.inventory.store(Arc::new(Inventory {
            set: changed.unwrap_or_else(|| Arc::clone(&self.current().set)),
            listing: table.listing(),
        }));
    }
}

impl fmt::Debug for PluginRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginRegistry")
            .field("settings", &self.loader.settings)
            .finish_non_exhaustive()
    }
}

/// A load under way. Dropping it, also by a panic, allows the file to be loaded again.
struct LoadTask {
    registry: Arc<PluginRegistry>,
    job: LoadJob,
}

impl LoadTask {
    fn new(registry: Arc<PluginRegistry>, job: LoadJob) -> Self {
        registry.loading.send_modify(|count| *count += 1);
        Self { registry, job }
    }
}

impl Drop for LoadTask {
    fn drop(&mut self) {
        self.registry.table.lock().end_load(&self.job);
        self.registry.loading.send_modify(|count| *count -= 1);
    }
}

/// The time that a scan waits for its loads. Plugins that load within it are published as one change;
/// a slower one does not delay the others.
const MAX_WAIT: Duration = Duration::from_millis(500);
