//! A whole gateway: made, serving, and stopped gracefully.

mod error;
mod running;

pub use self::error::RunError;
pub use self::running::Running;

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postgate_proto::relay::RelayDomains;
use postgate_proto::session::{Auth, Settings};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::auth::attempts::Attempts;
use crate::auth::secrets::Secrets;
use crate::control::ControlServer;
use crate::control::controller::Controller;
use crate::listener::Door;
use crate::listener::admission::Admission;
use crate::metrics::Metrics;
use crate::shutdown::Phase;
use crate::state::SharedState;
use crate::supervisor::supervised;
use crate::tls;
use postgate_config::{AuthMode, Config, Limits, Listener, TlsMode};
use postgate_delivery::{self, Delivery, Maildir};
use postgate_dns::Dns;
use postgate_runtime::{self, PluginRegistry, RegistrySettings, Runtime, WatchSettings};
use postgate_spool::SpoolSettings;

/// A gateway whose configuration and plugins are good and whose listeners are bound.
#[derive(Debug)]
pub struct Gateway {
    doors: Vec<Door>,
    control: Option<ControlServer>,
    controller: Controller,
    house: Arc<SharedState>,
    watch: WatchSettings,
    rescan_certificates: Duration,
    hostname: String,
    grace: Duration,
    pub(crate) metrics: Arc<Metrics>,
}

impl Gateway {
    /// Makes everything that can fail: the engine, the plugins, the listeners.
    ///
    /// # Errors
    ///
    /// The first kind of thing that fails; of plugins, all that fail.
    pub async fn start(config: Config) -> Result<Self, RunError> {
        let house = Arc::new(SharedState::build(&config).await?);
        let mut admissions = HashMap::new();
        let mut doors = Vec::with_capacity(config.listeners.len());
        for (index, listener) in config.listeners.iter().enumerate() {
            // The addresses of one listener share its limits.
            let admission = admissions
                .entry(listener.name.clone())
                .or_insert_with(|| Arc::new(Admission::new(&listener.limits)));
            let settings = settings(listener, &config);
            let admission = Arc::clone(admission);
            let tls = house.tls.of_listener(index);
            let house = Arc::clone(&house);
            let door = Door::open(listener.clone(), settings, tls, admission, house);
            doors.push(door.map_err(|error| RunError::Bind {
                listener: listener.name.clone(),
                address: listener.address,
                error,
            })?);
        }
        let control = config.control_socket.as_deref().map(|socket| {
            ControlServer::open(socket).map_err(|error| RunError::Control {
                socket: socket.to_owned(),
                error,
            })
        });
        house.tls.log();
        if !config.relay.is_empty() {
            let domains: Vec<_> = config.relay.iter().map(ToString::to_string).collect();
            info!(domains = domains.join(" "), "relaying is on");
        }
        Ok(Self {
            doors,
            control: control.transpose()?,
            controller: Controller::new(Arc::clone(&house)),
            rescan_certificates: config.tls.rescan,
            watch: WatchSettings {
                hints: config.plugins.watch,
                rescan: config.plugins.rescan,
            },
            metrics: Arc::clone(&house.metrics),
            house,
            grace: config.limits.shutdown_grace,
            hostname: config.hostname,
        })
    }

    /// Where the gateway listens, in the order of the configuration, with the ports that the system
    /// chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.doors.iter().map(|door| door.address).collect()
    }

    /// What an operator can see of the gateway, and change in it while it serves.
    pub fn controller(&self) -> Controller {
        self.controller.clone()
    }

    /// Serves until `shutdown` is ready. Then no session is taken any more, those that wait for a
    /// command are told to come back later, and those in the midst of a message have the grace
    /// period to end it.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let (tell, phase) = watch::channel(Phase::Serving);
        let mut doors = JoinSet::new();
        for door in self.doors {
            info!(
                listener = door.name(),
                address = %door.address,
                hostname = self.hostname,
                version = env!("CARGO_PKG_VERSION"),
                "listening"
            );
            doors.spawn(door.serve(phase.clone()));
        }
        drop(phase);
        // These end with the gateway, since dropping a set of tasks ends them.
        let mut others = JoinSet::new();
        if let Some(control) = self.control {
            others.spawn(control.serve(self.controller.clone()));
        }
        let house = self.house;
        let certificates = Arc::clone(&house.tls);
        let rescan = self.rescan_certificates;
        others.spawn(async move {
            let watch = || tls::watch_files(Arc::clone(&certificates), rescan);
            supervised("certificates", watch).await;
        });
        let delivery = house.delivery.clone();
        others.spawn(async move {
            let watch = || postgate_delivery::watch(delivery.clone(), rescan);
            supervised("backend files", watch).await;
        });
        let watch = self.watch;
        others.spawn(async move {
            let watch = || postgate_runtime::watch(Arc::clone(&house.library), watch);
            supervised("plugin directory", watch).await;
        });
        shutdown.await;
        info!("stopping");
        tell.send_replace(Phase::Stopping);
        if timeout(self.grace, all(&mut doors)).await.is_err() {
            warn!("cutting off sessions that go on after limits.shutdown-grace");
            tell.send_replace(Phase::Cutting);
            // A plugin or a backend that does not come back has no longer than this.
            if timeout(LAST_WORDS, all(&mut doors)).await.is_err() {
                warn!("some sessions did not end");
            }
        }
        info!("stopped");
    }
}

async fn all(doors: &mut JoinSet<()>) {
    while doors.join_next().await.is_some() {}
}

impl SharedState {
    async fn build(config: &Config) -> Result<Self, RunError> {
        let tls = tls::Store::load(config).map_err(RunError::Tls)?;
        let dns = Dns::new(&config.dns.servers, config.dns.timeout);
        let cache = config.plugins.cache.as_deref();
        let metrics = Arc::new(Metrics::new());
        let plugins = metrics.plugins().clone();
        let runtime = Runtime::new(config.plugins.instances, cache, dns, plugins)
            .map_err(RunError::Engine)?;
        let runtime = Arc::new(runtime);
        let library = PluginRegistry::open(Arc::clone(&runtime), RegistrySettings::of(config))
            .await
            .map_err(RunError::Plugins)?;
        let quarantine = config.quarantine.as_deref();
        let mut secrets = Secrets::draw().map_err(RunError::Random)?;
        if let Some(file) = &config.auth_secret_file {
            secrets = secrets.with_decoys_of(file)?;
        }
        Ok(Self {
            tls: Arc::new(tls),
            library,
            metrics,
            runtime,
            delivery: match &config.backend {
                Some(backend) => Delivery::new(backend, &config.hostname)?,
                None => Delivery::nowhere(),
            },
            quarantine: quarantine.map(|path| Maildir::new(path, &config.hostname)),
            spool: Arc::new(spool_settings(&config.limits)),
            attempts: Arc::new(Attempts::new(&config.limits)),
            secrets: Arc::new(secrets),
        })
    }
}

pub(crate) fn settings(listener: &Listener, config: &Config) -> Settings {
    let limits = &listener.limits;
    Settings {
        hostname: config.hostname.clone(),
        auth: match listener.auth {
            AuthMode::Off => Auth::Off,
            AuthMode::Optional => Auth::Optional,
            AuthMode::Required => Auth::Required,
        },
        auth_in_clear: listener.auth_in_clear,
        banner: listener.banner.clone(),
        command_timeout: limits.command_timeout,
        default_domain: listener.default_domain.clone(),
        extensions: listener.extensions,
        line_endings: listener.line_endings,
        lenient_commands: listener.lenient_commands,
        max_discarded: limits.endless_line as usize,
        max_errors: limits.errors,
        max_header_size: limits.header_size,
        max_message_size: limits.message_size,
        max_recipients: limits.recipients,
        max_text_line: limits.text_line as usize,
        mechanisms: listener.auth_mechanisms.clone(),
        message_timeout: limits.message_timeout,
        more_keywords: listener.more_keywords.clone(),
        only_keywords: listener.only_keywords.clone(),
        relay: RelayDomains::new(config.relay.iter().map(ToString::to_string)),
        replies: config.replies.clone(),
        strict_mail: listener.strict_mail,
        strict_rcpt: listener.strict_rcpt,
        tls_required: listener.tls == TlsMode::Required,
    }
}

fn spool_settings(limits: &Limits) -> SpoolSettings {
    SpoolSettings {
        memory: limits.spool_memory as usize,
        // Each listener has a limit of its own, which its sessions keep.
        limit: u64::from(u32::MAX),
        directory: None,
    }
}

/// How long sessions have to end once they are cut off.
const LAST_WORDS: Duration = Duration::from_secs(2);
