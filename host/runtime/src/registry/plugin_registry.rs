//! The registry: the plugin set of new sessions, and the changes that replace it.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::inventory::Inventory;
use super::loader::Loader;
use super::look::Look;
use super::pending::LoadTask;
use super::plan::{LoadId, LoadJob, LoadOutcome, Plan, ScanMode, Snapshot};
use super::settings::RegistrySettings;
use super::sighting::SETTLE_TIME;
use super::table::{MAX_HOLD, PluginTable, SharedTable};
use crate::engine::Runtime;
use crate::load::{LoadError, plugin_name};

/// All plugins of a gateway.
pub struct PluginRegistry {
    loader: Loader,
    table: SharedTable,
    inventory: ArcSwap<Inventory>,
    /// Serialises looks, so that none overwrites the result of a later one.
    looking: Mutex<()>,
}

/// The result of a look at the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanResult {
    /// The directory cannot be read.
    Failed,
    /// Every change serves, or is being loaded.
    Settled,
    /// A file may still be being written: look again after [`SETTLE_TIME`].
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
            looking: Mutex::default(),
        });
        let snapshot = match registry.first_look().await {
            Ok(snapshot) => snapshot,
            Err(error) => return Err(registry.directory_error(error).into()),
        };
        let mut start = |job| registry.start_first(job);
        registry
            .table
            .lock()
            .begin(snapshot, ScanMode::Everything, &mut start);
        registry.wait_for_loads().await;
        let mut table = registry.table.lock();
        let refusals = table.apply_complete_changes();
        if !refusals.is_empty() {
            return Err(refusals
                .into_iter()
                .flat_map(|(_, errors)| errors)
                .collect());
        }
        registry.publish(&mut table);
        drop(table);
        Ok(registry)
    }

    /// Looks until all files have been read as they were at one moment.
    async fn first_look(self: &Arc<Self>) -> io::Result<Snapshot> {
        let start = Instant::now();
        loop {
            let looked = self.look(ScanMode::Everything).await?;
            if !looked.is_unsettled {
                return Ok(looked.snapshot);
            }
            if start.elapsed() > MAX_HOLD {
                return Err(io::Error::other("it changes all the time"));
            }
            sleep(SETTLE_TIME).await;
        }
    }

    fn directory_error(&self, error: io::Error) -> LoadError {
        LoadError::Io {
            file: self.directory().unwrap_or_else(|| Path::new("")).to_owned(),
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
        self.rescan_until_settled(ScanMode::Everything, ScanMode::Everything)
            .await;
        self.wait_for_loads().await;
        self.current()
    }

    /// Loads files that have changed, and those that were refused for a transient reason. Waits until
    /// the files are settled and loaded, for about ten seconds at most.
    pub async fn refresh(self: &Arc<Self>) {
        self.rescan_until_settled(ScanMode::RetryRefused, ScanMode::Changed)
            .await;
        // What takes longer goes on.
        _ = timeout(MAX_HOLD, self.wait_for_loads()).await;
    }

    /// Looks until no file seems to be still being written, for [`MAX_HOLD`] at most.
    async fn rescan_until_settled(self: &Arc<Self>, first: ScanMode, then: ScanMode) {
        let start = Instant::now();
        let mut mode = first;
        while self.rescan(mode).await == ScanResult::Unsettled && start.elapsed() < MAX_HOLD {
            mode = then;
            sleep(SETTLE_TIME).await;
        }
    }

    /// Waits until the loads that are under way have ended.
    async fn wait_for_loads(&self) {
        let loads = self.table.lock().loads();
        for mut load in loads {
            // Nothing is ever sent: the end of the sender is what is waited for.
            _ = load.changed().await;
        }
    }

    /// Looks at the directory, and begins the change that it finds.
    pub(super) async fn rescan(self: &Arc<Self>, mode: ScanMode) -> ScanResult {
        let _looking = self.looking.lock().await;
        let looked = self.look(mode).await;
        let mut table = self.table.lock();
        let result = match looked {
            Ok(looked) => {
                table.directory_recovered();
                table.begin(looked.snapshot, mode, &mut |job| self.start(job));
                match looked.is_unsettled {
                    true => ScanResult::Unsettled,
                    false => ScanResult::Settled,
                }
            }
            Err(error) => {
                table.directory_failed(self.directory(), &error);
                ScanResult::Failed
            }
        };
        self.publish(&mut table);
        result
    }

    /// Looks at the directory, and reads what has changed.
    async fn look(self: &Arc<Self>, mode: ScanMode) -> io::Result<Looked> {
        let registry = Arc::clone(self);
        let looked = spawn_blocking(move || {
            // A directory on another machine can be slow.
            let look = Look::at(registry.directory())?;
            let plan = {
                let mut table = registry.table.lock();
                table.check_home(&look, mode)?;
                table.report_orphans(&look.orphans);
                table.plan(&look, mode)
            };
            registry.take(&look, plan)
        });
        looked
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    fn take(&self, look: &Look, plan: Plan) -> io::Result<Looked> {
        let is_unsettled = plan.is_unsettled;
        if plan.reads.is_empty() && plan.removals.is_empty() {
            return Ok(Looked {
                snapshot: Snapshot::default(),
                is_unsettled,
            });
        }
        let limit = self.loader.settings.max_file_size;
        let snapshot = Snapshot::take(look, plan, self.directory(), limit)?;
        Ok(Looked {
            is_unsettled: is_unsettled || snapshot.is_none(),
            snapshot: snapshot.unwrap_or_default(),
        })
    }

    /// Starts a load. At its end, or when the rest of its change goes ahead, what is complete serves.
    fn start(self: &Arc<Self>, job: LoadJob) -> LoadTask {
        let registry = Arc::clone(self);
        LoadTask::spawn(async move {
            let task = Unfinished::new(&registry, job.id);
            let Self { loader, table, .. } = &*registry;
            let mut load = pin!(loader.load(table, job.source));
            let outcome = match timeout(job.patience, &mut load).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    registry.go_ahead_without(&task.id);
                    load.await
                }
            };
            task.finish(outcome);
            registry.publish(&mut table.lock());
        })
    }

    fn go_ahead_without(&self, id: &LoadId) {
        let mut table = self.table.lock();
        table.go_ahead_without(id);
        self.publish(&mut table);
    }

    /// Starts a load before anything serves.
    fn start_first(self: &Arc<Self>, job: LoadJob) -> LoadTask {
        let registry = Arc::clone(self);
        LoadTask::spawn(async move {
            let task = Unfinished::new(&registry, job.id);
            let outcome = registry.loader.load(&registry.table, job.source).await;
            task.finish(outcome);
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

    /// Publishes the state of the table: changes of which nothing is waited for, each as a whole.
    fn publish(&self, table: &mut PluginTable) {
        for (name, errors) in table.apply_complete_changes() {
            self.report_refusal(table, &name, &errors);
        }
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

/// What a look has led to.
struct Looked {
    /// What has changed, if it was read.
    snapshot: Snapshot,
    /// True if a file may still be being written, or if something changed while files were read.
    is_unsettled: bool,
}

/// A load without an outcome. If it ends like this, by a panic, the plugin is refused.
struct Unfinished<'a> {
    registry: &'a PluginRegistry,
    id: LoadId,
    outcome: Option<LoadOutcome>,
}

impl<'a> Unfinished<'a> {
    const fn new(registry: &'a PluginRegistry, id: LoadId) -> Self {
        Self {
            registry,
            id,
            outcome: None,
        }
    }

    fn finish(mut self, outcome: LoadOutcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            let error = io::Error::other("loading has failed");
            LoadOutcome::refused(None, None, vec![self.registry.directory_error(error)])
        });
        self.registry.table.lock().finish_load(&self.id, outcome);
    }
}
