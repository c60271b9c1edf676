//! A gateway from its start to the end of its last session.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postgate_config::{Config, Listener};
use postgate_delivery::{Delivery, Maildir};
use postgate_dns::Dns;
use postgate_runtime::{PluginRegistry, RegistrySettings, Runtime, RuntimeSettings, WatchSettings};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use super::error::RunError;
use crate::control::{ControlServer, Controller};
use crate::descriptors::Descriptors;
use crate::listener::BoundListener;
use crate::listener::admission::Admission;
use crate::metrics::Metrics;
use crate::session::{Services, session_settings};
use crate::shutdown::{ShutdownPhase, ShutdownSwitch};
use crate::state::SharedState;
use crate::supervisor::supervise;
use crate::tls::{self, CertificateStore, ListenerTls};

/// A gateway that is ready to serve: its files are loaded, and its listeners are bound.
#[derive(Debug)]
pub struct Gateway {
    listeners: Vec<BoundListener>,
    control: Option<ControlServer>,
    state: Arc<SharedState>,
    watch: WatchSettings,
    rescan_files: Duration,
    hostname: String,
    grace: Duration,
}

impl Gateway {
    /// Loads certificates and plugins, and binds the listeners and the control socket.
    ///
    /// # Errors
    ///
    /// Fails with the first error. For plugins and for certificates, it has all errors.
    pub async fn start(config: Config) -> Result<Self, RunError> {
        let state = Arc::new(shared_state(&config).await?);
        let listeners = bind_all(&config, &state)?;
        let control = config.control_socket.as_deref().map(|socket| {
            ControlServer::open(socket).map_err(|error| RunError::Control {
                socket: socket.to_owned(),
                error,
            })
        });
        if let Err(error) = postgate_spool::check_directory() {
            warn!(%error, "only small messages can be stored");
        }
        state.certificates.log();
        if !config.relay.domains.is_empty() {
            let domains: Vec<_> = config
                .relay
                .domains
                .iter()
                .map(ToString::to_string)
                .collect();
            info!(domains = domains.join(" "), "relaying is on");
        }
        Ok(Self {
            listeners,
            control: control.transpose()?,
            state,
            rescan_files: config.tls.rescan,
            watch: WatchSettings {
                hints: config.plugins.watch,
                rescan: config.plugins.rescan,
            },
            grace: config.limits.shutdown_grace,
            hostname: config.hostname,
        })
    }

    /// Returns the addresses of the listeners in the order of the configuration, with the ports that the
    /// system has chosen for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let listeners = self.listeners.iter();
        listeners.map(|listener| listener.address).collect()
    }

    /// Returns a handle for inspecting the gateway and reloading its files while it serves.
    pub fn controller(&self) -> Controller {
        Controller::new(Arc::clone(&self.state))
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.state.services.metrics
    }

    /// Serves until `shutdown` completes. Then closes the listeners, ends sessions that wait for a
    /// command with reply 421, and waits for the others until `limits.shutdown-grace` has passed.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let switch = ShutdownSwitch::new();
        let mut listeners = JoinSet::new();
        for listener in self.listeners {
            info!(
                listener = listener.name(),
                address = %listener.address,
                hostname = self.hostname,
                version = env!("CARGO_PKG_VERSION"),
                "listening"
            );
            listeners.spawn(listener.serve(switch.shutdown()));
        }
        let delivery = self.state.services.delivery.clone();
        // Dropping the set aborts these tasks.
        let mut background = background_tasks(&self.state, self.rescan_files, self.watch);
        if let Some(control) = self.control {
            background.spawn(control.serve(Controller::new(self.state)));
        }
        shutdown.await;
        info!("stopping");
        switch.enter(ShutdownPhase::Stopping);
        delivery.close();
        if timeout(self.grace, join_all(&mut listeners)).await.is_err() {
            warn!("ending the sessions that are still open after limits.shutdown-grace");
            switch.enter(ShutdownPhase::Aborting);
            // A session may be waiting for a plugin or a backend.
            if timeout(ABORT_TIMEOUT, join_all(&mut listeners))
                .await
                .is_err()
            {
                warn!("some sessions did not end");
            }
        }
        info!("stopped");
    }
}

async fn join_all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

/// Starts the tasks that reload files when they change.
fn background_tasks(
    state: &SharedState,
    rescan_files: Duration,
    plugins: WatchSettings,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let certificates = Arc::clone(&state.certificates);
    tasks.spawn(async move {
        let watch = || tls::watch_files(Arc::clone(&certificates), rescan_files);
        supervise("certificates", watch).await;
    });
    let delivery = state.services.delivery.clone();
    tasks.spawn(async move {
        let watch = || postgate_delivery::watch(delivery.clone(), rescan_files);
        supervise("backend files", watch).await;
    });
    let registry = Arc::clone(&state.plugins);
    tasks.spawn(async move {
        let watch = || postgate_runtime::watch(Arc::clone(&registry), plugins);
        supervise("plugin directory", watch).await;
    });
    tasks
}

async fn shared_state(config: &Config) -> Result<SharedState, RunError> {
    let certificates = CertificateStore::load(config).map_err(RunError::Tls)?;
    let dns = Dns::new(&config.dns.servers, config.dns.timeout);
    let metrics = Arc::new(Metrics::new());
    let counters = metrics.plugins().clone();
    let settings = RuntimeSettings {
        client_cpu: config.limits.plugin_cpu_per_client,
        ..RuntimeSettings::of(&config.plugins)
    };
    let runtime = Runtime::new(settings, dns, counters).map_err(RunError::Engine)?;
    let runtime = Arc::new(runtime);
    let plugins = PluginRegistry::open(Arc::clone(&runtime), RegistrySettings::of(config))
        .await
        .map_err(RunError::Plugins)?;
    let delivery = match &config.backend {
        Some(backend) => Delivery::new(backend, &config.hostname)?,
        None => Delivery::without_backend(),
    };
    let quarantine = config.quarantine.as_deref();
    let quarantine = quarantine.map(|path| Maildir::new(path, &config.hostname));
    let services = Services::new(config, delivery, quarantine, metrics)?;
    Ok(SharedState {
        descriptors: Descriptors::of_process(connections(config)),
        plugins,
        runtime,
        services: Arc::new(services),
        certificates: Arc::new(certificates),
    })
}

/// The most connections of all listeners together. The addresses of one listener share its limits.
fn connections(config: &Config) -> u32 {
    let by_name: HashMap<_, _> = config
        .listeners
        .iter()
        .map(|listener| (&listener.name, listener.limits.connections))
        .collect();
    by_name.into_values().fold(0, u32::saturating_add)
}

fn bind_all(config: &Config, state: &Arc<SharedState>) -> Result<Vec<BoundListener>, RunError> {
    let mut admissions = HashMap::new();
    let mut listeners = Vec::with_capacity(config.listeners.len());
    for (index, listener) in config.listeners.iter().enumerate() {
        // The addresses of one listener share its limits.
        let admission = admissions
            .entry(listener.name.clone())
            .or_insert_with(|| Arc::new(Admission::new(&listener.limits)));
        let tls = state.certificates.of_listener(index);
        let bound = bind(config, listener, tls, Arc::clone(admission), state);
        listeners.push(bound.map_err(|error| RunError::Bind {
            listener: listener.name.clone(),
            address: listener.address,
            error,
        })?);
    }
    Ok(listeners)
}

fn bind(
    config: &Config,
    listener: &Listener,
    tls: Option<Arc<ListenerTls>>,
    admission: Arc<Admission>,
    state: &Arc<SharedState>,
) -> std::io::Result<BoundListener> {
    let settings = session_settings(listener, config);
    BoundListener::bind(
        listener.clone(),
        settings,
        tls,
        admission,
        Arc::clone(state),
    )
}

/// The time limit for sessions to end after the grace period.
const ABORT_TIMEOUT: Duration = Duration::from_secs(2);
