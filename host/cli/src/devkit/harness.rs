//! Runs one plugin in sessions with the driver and handler of the gateway, over a transport in memory,
//! and with a backend that accepts everything.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postgate::metrics::Metrics;
use postgate::session::{ClientLimits, Driver, Handler, HandlerParts, Services, session_settings};
use postgate::shutdown::ShutdownSwitch;
use postgate::{clock, id};
use postgate_config::{Config, Listener, Plugins, TlsMode};
use postgate_delivery::{Delivery, Maildir};
use postgate_dialog::Certificate;
use postgate_dns::Dns;
use postgate_proto::session::{Channel, Offers, Session, Settings, Tls};
use postgate_runtime::context::{RemoteHost, SessionFacts};
use postgate_runtime::observer::Observer;
use postgate_runtime::pipeline::Pipeline;
use postgate_runtime::recording::{self, Recorder, Recording, ReplayReport};
use postgate_runtime::{LoadedPlugin, Runtime, RuntimeSettings, load_file};
use tokio::runtime::{self, Runtime as Tokio};
use toml::Table;

use super::error::HarnessError;
use super::fixture::{self, Client, client_of, config_of};
use super::memory;
use super::session::{Calls, HarnessSession};
use crate::own_compiler::own_compiler;

/// One plugin, loaded as a gateway loads it.
pub struct Harness {
    tokio: Tokio,
    plugin: Arc<LoadedPlugin>,
    metrics: Arc<Metrics>,
    /// Stays in its first phase, but must outlive the sessions, since dropping it stops them.
    switch: ShutdownSwitch,
    record: Option<PathBuf>,
}

impl Harness {
    /// Loads a plugin with its sidecar and runs its self-test, as a gateway does. Caches compiled code in
    /// the directory `cache`.
    ///
    /// # Errors
    ///
    /// Fails if a gateway could not load the plugin, with all reasons.
    pub fn load(plugin: &Path, cache: Option<&Path>) -> Result<Self, HarnessError> {
        let tokio = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| HarnessError::System {
                action: "cannot start the async runtime",
                error,
            })?;
        let dns = tokio.block_on(async { Dns::default() });
        let metrics = Arc::new(Metrics::new());
        let counters = metrics.plugins().clone();
        let plugins = Plugins {
            instances: Some(INSTANCES),
            cache: cache.map(Path::to_owned),
            compiler: Some(own_compiler()),
            ..Plugins::default()
        };
        let settings = RuntimeSettings::of(&plugins);
        let engine = Arc::new(Runtime::new(settings, dns, counters)?);
        let plugin = tokio
            .block_on(load_file(&engine, plugin, u64::MAX))
            .map_err(HarnessError::Plugin)?;
        Ok(Self {
            tokio,
            plugin: Arc::new(plugin),
            metrics,
            switch: ShutdownSwitch::new(),
            record: None,
        })
    }

    /// Records each further session into a file in a directory.
    pub fn record_into(&mut self, directory: &Path) {
        self.record = Some(directory.to_owned());
    }

    /// Replays a recorded session with the plugin.
    pub fn replay(&self, recording: &Recording) -> ReplayReport {
        self.tokio
            .block_on(recording::replay(recording, &self.plugin))
    }

    /// Opens a session with the settings of a dialog. They have the format of the configuration, but the
    /// table `listener` is the only listener, and there is a table `client`.
    ///
    /// # Errors
    ///
    /// Fails if the settings are invalid, or the system cannot create a temporary directory.
    pub fn open(&self, settings: &Table) -> Result<HarnessSession<'_>, HarnessError> {
        let mut settings = settings.clone();
        let client = client_of(&mut settings)?;
        let config = config_of(settings)?;
        let directory = tempfile::tempdir().map_err(|error| HarnessError::System {
            action: "cannot create a temporary directory",
            error,
        })?;
        let listener = config.listeners.first().ok_or(HarnessError::NoListener)?;
        let settings = Arc::new(session_settings(listener, &config));
        let facts = facts(&client, &listener.name, &settings);
        let calls = Arc::new(Calls::new(self.recorder(&facts.id)));
        let maildir = directory.path().join("delivered");
        let delivery = Delivery::to_maildir(&maildir, &config.hostname);
        let quarantine = Maildir::new(directory.path().join("quarantine"), &config.hostname);
        let metrics = Arc::clone(&self.metrics);
        let services = Services::new(&config, delivery, Some(quarantine), metrics)?;
        let shutdown = self.switch.shutdown();
        let mut handler = Handler::new(HandlerParts {
            facts,
            pipeline: self.pipeline(listener, &settings, Arc::clone(&calls) as _),
            services: Arc::new(services),
            submission: listener.submission,
            shutdown: shutdown.clone(),
        });
        let offers = self.prepare(&mut handler, &client, listener.tls);
        let session = Session::new(Arc::clone(&settings), offers);
        let (transport, client) = memory::connection();
        let driver = Driver::new(transport, handler, settings, limits(&config), shutdown);
        Ok(HarnessSession {
            tokio: &self.tokio,
            client,
            driver: Some(Box::pin(driver.run(session))),
            calls,
            unread: Vec::new(),
            maildir,
            _directory: directory,
        })
    }

    fn recorder(&self, session: &str) -> Option<Recorder> {
        let plugin = self.plugin.name();
        let record = self.record.iter().map(|directory| (plugin, &**directory));
        Recorder::new(session, record)
    }

    fn pipeline(
        &self,
        listener: &Listener,
        settings: &Arc<Settings>,
        observer: Arc<dyn Observer>,
    ) -> Pipeline<LoadedPlugin> {
        let plugins = [Arc::clone(&self.plugin)];
        Pipeline::new(plugins, &listener.name, Arc::clone(settings))
            .bounded_by(listener.limits.plugins_timeout)
            .observed_by(observer)
    }

    /// Sets the state of the handler at the start of the session, and returns the offers.
    fn prepare(&self, handler: &mut Handler, client: &Client, tls: TlsMode) -> Offers {
        if self.record.is_some() {
            handler.record_host_calls();
        }
        let tls = match tls {
            TlsMode::Off => Tls::Off,
            TlsMode::Optional | TlsMode::Required => Tls::Offered,
            TlsMode::Implicit => {
                handler.encrypted(fixture::tls_facts(Certificate::None));
                Tls::Active(Channel::default())
            }
        };
        // This comes after the handshake, which would discard the authentication.
        if let Some(identity) = &client.authenticated_as {
            handler.set_identity(identity);
        }
        let mut offers = handler.offers();
        offers.tls = tls;
        offers
    }
}

/// Returns the limits of the configuration without the delays after errors.
fn limits(config: &Config) -> ClientLimits {
    ClientLimits {
        tarpit: Duration::ZERO,
        ..ClientLimits::from(&config.limits)
    }
}

fn facts(client: &Client, listener: &str, settings: &Settings) -> SessionFacts {
    SessionFacts {
        id: id::next(),
        connected_at: clock::unix_time(),
        listener: listener.to_owned(),
        hostname: settings.hostname.clone(),
        banner: settings.banner.clone(),
        local: SocketAddr::from(([127, 0, 0, 1], 25)),
        remote: SocketAddr::new(client.ip, 49_152),
        remote_host: client
            .host
            .clone()
            .map_or_else(RemoteHost::default, RemoteHost::Confirmed),
        proxy: None,
        line_endings: settings.line_endings,
    }
}

/// The maximum number of instances of the plugin at a time.
const INSTANCES: u32 = 8;
