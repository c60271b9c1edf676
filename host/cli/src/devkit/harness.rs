//! One plugin and nobody else: the driver and the handler as they serve clients, over a connection in
//! memory, and with a backend that accepts everything.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postgate::metrics::Metrics;
use postgate::session::{
    ClientLimits, Driver, Handler, HandlerParts, Services, ServicesError, session_settings,
};
use postgate::shutdown::ShutdownSwitch;
use postgate::{clock, id};
use postgate_config::{Config, Listener, TlsMode};
use postgate_delivery::{Delivery, Maildir};
use postgate_dialog::Certificate;
use postgate_dns::Dns;
use postgate_proto::session::{Channel, Offers, Session, Settings, Tls};
use postgate_runtime::context::{RemoteHost, SessionFacts};
use postgate_runtime::observer::Observer;
use postgate_runtime::pipeline::Pipeline;
use postgate_runtime::recording::{self, Recorder, Recording, Replayed};
use postgate_runtime::{EngineError, LoadError, LoadedPlugin, Runtime, load_file};
use tokio::runtime::{self, Runtime as Tokio};
use toml::Table;

use super::fixture::{self, Client, client_of, config_of};
use super::memory;
use super::session::{Calls, HarnessSession};

/// One plugin, loaded as a gateway loads it.
pub struct Harness {
    tokio: Tokio,
    plugin: Arc<LoadedPlugin>,
    metrics: Arc<Metrics>,
    /// Never used: what is played ends by itself.
    switch: ShutdownSwitch,
    record: Option<PathBuf>,
}

/// Why a plugin cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// The plugin cannot be loaded.
    #[error("{}", listed(.0))]
    Plugin(Vec<LoadError>),
    /// The settings of a dialog have mistakes.
    #[error("{0}")]
    Settings(String),
    /// The machine does not give what is needed.
    #[error("{what}: {error}")]
    Machine {
        /// What was to be done.
        what: &'static str,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The engine for plugins cannot be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What sessions share is not available.
    #[error(transparent)]
    Services(#[from] ServicesError),
}

fn listed(errors: &[LoadError]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl Harness {
    /// Loads a plugin with the file beside it, and tries it once, as a gateway does. Compiled code is
    /// cached in the directory `cache`.
    ///
    /// # Errors
    ///
    /// Fails with every reason why a gateway would not load it.
    pub fn load(plugin: &Path, cache: Option<&Path>) -> Result<Self, HarnessError> {
        let tokio = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| HarnessError::Machine {
                what: "cannot start the async runtime",
                error,
            })?;
        let dns = tokio.block_on(async { Dns::default() });
        let metrics = Arc::new(Metrics::new());
        let counters = metrics.plugins().clone();
        let engine = Arc::new(Runtime::new(Some(INSTANCES), cache, dns, counters)?);
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

    /// Records what the plugin is asked from now on, a file for each session, into this directory.
    pub fn record_into(&mut self, directory: &Path) {
        self.record = Some(directory.to_owned());
    }

    /// Shows a recorded session to the plugin.
    pub fn replay(&self, recording: &Recording) -> Replayed {
        self.tokio
            .block_on(recording::replay(recording, &self.plugin))
    }

    /// A session with these settings: those of a dialog, as in the configuration of a gateway, where
    /// `listener` is the one listener.
    ///
    /// # Errors
    ///
    /// Fails if there are mistakes in the settings, or there is no temporary directory.
    pub fn open(&self, settings: &Table) -> Result<HarnessSession<'_>, HarnessError> {
        let mut settings = settings.clone();
        let client = client_of(&mut settings)?;
        let config = config_of(settings)?;
        let directory = tempfile::tempdir().map_err(|error| HarnessError::Machine {
            what: "cannot make a temporary directory",
            error,
        })?;
        // There is one: the text that was parsed has it.
        let listener = config.listeners.first().ok_or_else(no_listener)?;
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
            said: Vec::new(),
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
        Pipeline::new(plugins, &listener.name, Arc::clone(settings)).observed_by(observer)
    }

    /// Tells the handler what is so before the session begins.
    fn prepare(&self, handler: &mut Handler, client: &Client, tls: TlsMode) -> Offers {
        if self.record.is_some() {
            handler.record_host_calls();
        }
        let tls = match tls {
            TlsMode::Off => Tls::Off,
            TlsMode::Optional | TlsMode::Required => Tls::Offered,
            TlsMode::Implicit => {
                handler.encrypted(fixture::encryption(Certificate::None));
                Tls::Active(Channel::default())
            }
        };
        // The handshake makes the session forget who has authenticated.
        if let Some(identity) = &client.authenticated_as {
            handler.set_identity(identity);
        }
        let mut offers = handler.offers();
        offers.tls = tls;
        offers
    }
}

/// The limits of a client that need not wait for its errors.
fn limits(config: &Config) -> ClientLimits {
    ClientLimits {
        tarpit: Duration::ZERO,
        ..ClientLimits::from(&config.limits)
    }
}

fn no_listener() -> HarnessError {
    HarnessError::Settings("there is no listener".to_owned())
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

/// The most instances of the plugin at a time.
const INSTANCES: u32 = 8;
