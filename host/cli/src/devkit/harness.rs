//! A session with one plugin and nobody else: the protocol core and the desk as they serve clients,
//! without a socket, and with a backend that takes everything.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use postgate_dialog::play::{Heard, Server};
use postgate_dialog::{Certificate, ScriptedAnswer};
use postgate_proto::session::{Channel, Ending, Offers, Session, Settings, Step, Tls};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime as Tokio};
use toml::Table;

use super::call::Call;
use super::fixture::{self, Client, client_of, config_of};
use super::trace_fields::without_trace;
use crate::attempts::Attempts;
use crate::connection;
use crate::desk::{Desk, Login};
use crate::id;
use crate::secrets::Secrets;
use crate::server;
use postgate_config::TlsMode;
use postgate_delivery::{Delivery, Maildir};
use postgate_dns::Dns;
use postgate_runtime::context::{RemoteHost, SessionFacts};
use postgate_runtime::observer::{Asked, Observer};
use postgate_runtime::pipeline::Pipeline;
use postgate_runtime::recording::{self, Recorder, Recording, Replayed};
use postgate_runtime::{Component, LoadError, Runtime, load_file, shown};
use postgate_spool::{Spool, SpoolSettings};

/// One plugin, loaded as a gateway loads it.
pub struct Stage {
    tokio: Tokio,
    plugin: Arc<Component>,
    secrets: Arc<Secrets>,
    engine: Arc<Runtime>,
    record: Option<PathBuf>,
}

/// Why a plugin cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
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
        error: io::Error,
    },
    /// The engine for plugins cannot be made.
    #[error("cannot make the plugin engine: {0:#}")]
    Engine(wasmtime::Error),
}

fn listed(errors: &[LoadError]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl Stage {
    /// Loads a plugin with the file beside it, and tries it once, as a gateway does. Compiled code is
    /// kept in `cache`.
    ///
    /// # Errors
    ///
    /// Every reason why a gateway would not load it.
    pub fn load(plugin: &Path, cache: Option<&Path>) -> Result<Self, StageError> {
        let tokio = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StageError::Machine {
                what: "cannot start the async runtime",
                error,
            })?;
        let dns = tokio.block_on(async { Dns::default() });
        let engine = Runtime::new(Some(INSTANCES), cache, dns).map_err(StageError::Engine)?;
        let engine = Arc::new(engine);
        let plugin = tokio
            .block_on(load_file(&engine, plugin, u64::MAX))
            .map_err(StageError::Plugin)?;
        Ok(Self {
            tokio,
            plugin: Arc::new(plugin),
            secrets: Arc::new(Secrets::draw().map_err(|error| StageError::Machine {
                what: "no random octets",
                error: io::Error::other(error),
            })?),
            engine,
            record: None,
        })
    }

    /// The plugin.
    pub fn plugin(&self) -> &Component {
        &self.plugin
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
    /// Where there are mistakes in the settings, or there is no temporary directory.
    pub fn open(&self, settings: &Table) -> Result<Performance<'_>, StageError> {
        let mut settings = settings.clone();
        let client = client_of(&mut settings)?;
        let config = config_of(settings)?;
        let store = tempfile::tempdir().map_err(|error| StageError::Machine {
            what: "cannot make a temporary directory",
            error,
        })?;
        // There is one: the text that was parsed has it.
        let listener = config.listeners.first().ok_or_else(no_listener)?;
        let settings = Arc::new(server::settings(listener, &config));
        let facts = facts(&client, &listener.name, &settings);
        let plugin = self.plugin.name();
        let record = self.record.iter().map(|directory| (plugin, &**directory));
        let calls = Arc::new(Calls {
            calls: Mutex::default(),
            recorder: Recorder::new(&facts.id, record),
        });
        let observer: Arc<dyn Observer> = Arc::clone(&calls) as _;
        let pipeline = Pipeline::new(
            [Arc::clone(&self.plugin)],
            &listener.name,
            Arc::clone(&settings),
        )
        .observed_by(observer);
        let maildir = store.path().join("delivered");
        let quarantine = Maildir::new(store.path().join("quarantine"), &config.hostname);
        let mut desk = Desk::new(
            facts,
            pipeline,
            Delivery::to_maildir(&maildir, &config.hostname),
            Some(quarantine),
            Spool::new(Arc::new(SpoolSettings {
                limit: u64::from(u32::MAX),
                ..SpoolSettings::default()
            })),
            Login::new(
                Arc::clone(&self.secrets),
                Arc::new(Attempts::new(&config.limits)),
            ),
            Arc::clone(self.engine.metrics()),
        );
        if self.record.is_some() {
            desk.record();
        }
        desk.set_submission(listener.submission);
        let mut offers = desk.offers();
        offers.tls = match listener.tls {
            TlsMode::Off => Tls::Off,
            TlsMode::Optional | TlsMode::Required => Tls::Offered,
            TlsMode::Implicit => {
                desk.encrypted(scene::encryption(Certificate::None));
                Tls::Active(Channel::default())
            }
        };
        let mut session = Session::new(Arc::clone(&settings), offers);
        if let Some(identity) = &client.authenticated_as {
            desk.act_as(identity);
            session.set_authenticated();
        }
        Ok(Performance {
            stage: self,
            session,
            settings,
            desk,
            calls,
            said: Vec::new(),
            closed: false,
            awaits_tls: false,
            maildir,
            _store: store,
        })
    }
}

fn no_listener() -> StageError {
    StageError::Settings("there is no listener".to_owned())
}

fn facts(client: &Client, listener: &str, settings: &Settings) -> SessionFacts {
    SessionFacts {
        id: id::next(),
        connected_at: id::now(),
        listener: listener.to_owned(),
        hostname: settings.hostname.clone(),
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

/// A session that is played.
pub struct Performance<'a> {
    stage: &'a Stage,
    session: Session,
    settings: Arc<Settings>,
    desk: Desk,
    calls: Arc<Calls>,
    said: Vec<u8>,
    closed: bool,
    awaits_tls: bool,
    maildir: PathBuf,
    _store: TempDir,
}

impl Performance<'_> {
    /// The calls of the plugin since this was last asked.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock())
    }

    /// Ends the session, as a client does that goes away.
    pub fn finish(&mut self) {
        if !self.closed {
            self.close(Ending::Closed);
        }
    }

    /// The message that the backend got last, without the fields that the gateway adds.
    pub fn delivered(&self) -> Option<Vec<u8>> {
        let newest = fs::read_dir(self.maildir.join("new"))
            .ok()?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            // Names begin with the time, and then count.
            .max_by_key(|path| fs::metadata(path).and_then(|data| data.modified()).ok())?;
        Some(without_trace(&fs::read(newest).ok()?).to_vec())
    }

    fn run(&mut self) {
        while !self.closed && !self.awaits_tls {
            match self.session.step() {
                Step::Ask(ask) => {
                    for fault in self.session.take_faults() {
                        self.desk.note(fault);
                    }
                    let counters = self.session.counters();
                    let answer = self.stage.tokio.block_on(self.desk.answer(ask, counters));
                    for text in self.desk.take_texts() {
                        connection::apply(text, &mut self.session);
                    }
                    self.session.decide(answer);
                }
                Step::Close(ending) => self.close(ending),
                Step::Read(_) => return,
                Step::Reset => {
                    let refused = self.session.take_refused();
                    self.stage.tokio.block_on(self.desk.forget(refused));
                }
                Step::StartTls => {
                    self.awaits_tls = true;
                    return;
                }
                Step::Store(octets) => {
                    let stored = self.stage.tokio.block_on(self.desk.store(octets));
                    if let Err(objection) = stored {
                        let ended = self.desk.object(objection, &mut self.session);
                        self.stage.tokio.block_on(ended);
                    }
                }
                Step::Write(octets) => self.said.extend_from_slice(octets),
            }
        }
    }

    fn close(&mut self, ending: Ending) {
        self.closed = true;
        let counters = self.session.counters();
        self.stage
            .tokio
            .block_on(self.desk.disconnect(ending, counters));
    }
}

impl Server for Performance<'_> {
    fn send(&mut self, octets: &[u8]) {
        self.run();
        self.session.receive(octets);
        self.run();
    }

    fn hang_up(&mut self) {
        self.run();
        self.finish();
    }

    /// Nobody listens in, so that the handshake is left out.
    fn begin_tls(&mut self, shows: Certificate) {
        self.run();
        self.awaits_tls = false;
        let nothing = Session::new(Arc::clone(&self.settings), Offers::default());
        let session = std::mem::replace(&mut self.session, nothing);
        self.session = session.encrypted(Channel {
            exporter: None,
            client_certificate: shows == Certificate::Client,
        });
        self.desk.encrypted(scene::encryption(shows));
    }

    fn wait(&mut self) {
        self.run();
        self.session.hang_up(Ending::Timeout);
    }

    fn hear(&mut self) -> Heard {
        self.run();
        match self.said.iter().position(|octet| *octet == b'\n') {
            Some(end) => {
                let line: Vec<_> = self.said.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                Heard::Line(line.trim_end_matches(['\r', '\n']).to_owned())
            }
            None if self.closed => Heard::Close,
            None => Heard::Nothing,
        }
    }

    fn script(&mut self, _: &ScriptedAnswer) {
        // The plugin answers; a dialog that scripts the policy is for the core alone.
    }

    fn is_quiet(&mut self) -> Option<bool> {
        self.run();
        Some(self.said.is_empty() && !self.closed)
    }

    fn asked(&mut self) -> Option<Vec<String>> {
        None
    }

    fn stored(&mut self) -> Option<Vec<u8>> {
        self.run();
        self.delivered()
    }

    fn leftovers(&mut self) -> Option<String> {
        self.run();
        match self.said.is_empty() {
            true => None,
            false => Some(self.said.escape_ascii().to_string()),
        }
    }
}

/// Keeps what the plugin was asked and said.
struct Calls {
    calls: Mutex<Vec<Call>>,
    recorder: Option<Recorder>,
}

impl Calls {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        // A list is whole whatever happened to who held it.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Calls {
    fn observe(&self, asked: &Asked<'_>) {
        if let Some(recorder) = &self.recorder {
            recorder.observe(asked);
        }
        self.lock().push(Call {
            event: asked.event,
            subject: asked.subject(),
            answer: shown::answer(&asked.answer),
            elapsed: asked.elapsed,
        });
    }
}

/// The most instances of the plugin at a time.
const INSTANCES: u32 = 8;
