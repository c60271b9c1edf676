//! A connection from accept to its session: limits, PROXY header, implicit TLS, reverse name.

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use postgate_config::{EarlyTalkers, Listener, ProxyMode, TlsMode};
use postgate_proto::reply::{Refusal, Reply};
use postgate_proto::session::{Channel, ClientTrust, Ending, Session, Settings, Tls};
use postgate_runtime::context::{RemoteHost, SessionFacts, TlsFacts};
use postgate_runtime::pipeline::Pipeline;
use postgate_runtime::recording::Recorder;
use postgate_runtime::{LoadedPlugin, PluginSet};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::admission::{Admission, ClientPlace, Place, TurnedAway};
use super::preamble::{self, Preamble, PreambleError};
use super::replies::{NO_PROXY, TALKS_EARLY, TOO_BUSY, TOO_MANY_CONNECTIONS, TOO_OFTEN};
use crate::id;
use crate::metrics::Counted;
use crate::session::{ClientConnection, ClientLimits, Driver, Handler, HandlerParts, Stream};
use crate::shutdown::Shutdown;
use crate::state::SharedState;
use crate::tls::{HandshakeError, ListenerTls};

/// What all connections to a listener share.
#[derive(Debug)]
pub(super) struct ListenerState {
    pub(super) shared: Arc<SharedState>,
    pub(super) listener: Listener,
    pub(super) settings: Arc<Settings>,
    pub(super) tls: Option<Arc<ListenerTls>>,
    pub(super) admission: Arc<Admission>,
}

/// A connection that was accepted and has no session yet.
pub(super) struct IncomingConnection {
    state: Arc<ListenerState>,
    stream: Stream,
    id: String,
    remote: SocketAddr,
    local: SocketAddr,
    place: Result<Place, TurnedAway>,
}

/// What a session occupies until it has ended.
struct Occupied {
    _place: Place,
    _client: ClientPlace,
    _slot: Option<OwnedSemaphorePermit>,
    _instances: OwnedSemaphorePermit,
    _counted: Counted,
}

impl IncomingConnection {
    pub(super) fn new(
        state: Arc<ListenerState>,
        stream: TcpStream,
        remote: SocketAddr,
        local: SocketAddr,
    ) -> Self {
        // Replies are written whole: holding them back would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "replies may be held back by the system");
        }
        Self {
            stream: Stream::Plain(stream),
            id: id::next(),
            remote: canonical(remote),
            local: canonical(local),
            place: state.admission.admit(),
            state,
        }
    }

    /// Serves the client to the end of its session.
    pub(super) async fn serve(mut self, mut shutdown: Shutdown) {
        let state = Arc::clone(&self.state);
        let metrics = &state.shared.services.metrics;
        metrics.accepted.inc();
        let _open = Counted::on(&metrics.connections);
        let place = match mem::replace(&mut self.place, Err(TurnedAway::Full)) {
            Ok(place) => place,
            Err(why) => return self.turn_away(why).await,
        };
        let mut preamble = match self.read_preamble().await {
            Ok(preamble) => preamble,
            Err(error) => return self.refuse_preamble(&error).await,
        };
        let (remote, _) = preamble.addresses(self.remote, self.local);
        let client = match state.admission.admit_client(remote.ip()) {
            Ok(client) => client,
            Err(why) => return self.turn_away(why).await,
        };
        let slot = state.admission.slot().await;
        // The session keeps this set to its end, whatever replaces it in the registry.
        let plugins = Arc::clone(&state.shared.plugins.current().set);
        let (pipeline, is_recorded) = self.pipeline(&plugins);
        let Some(instances) = self.reserve_instances(&pipeline) else {
            return self.turn_away(TurnedAway::Full).await;
        };
        let occupied = Occupied {
            _place: place,
            _client: client,
            _slot: slot,
            _instances: instances,
            _counted: Counted::on(&metrics.sessions),
        };
        let session = self.id.clone();
        let (incoming, encryption) = match self.encrypt(&mut preamble, &mut shutdown).await {
            Ok(encrypted) => encrypted,
            Err(error) => return error.log(&session, remote),
        };
        let (remote, ending) = incoming
            .hold_session(preamble, pipeline, is_recorded, encryption, shutdown)
            .await;
        drop(occupied);
        match ending {
            Ending::EndlessLine | Ending::TooManyErrors => {
                warn!(session, %remote, %ending, "session closed for errors of the client");
            }
            _ => debug!(session, %remote, %ending, "disconnected"),
        }
    }

    /// The plugins of this session, and whether any of them is to be recorded.
    fn pipeline(&self, plugins: &PluginSet) -> (Pipeline<LoadedPlugin>, bool) {
        let plugins = plugins.plugins.iter();
        let recorded = plugins.clone().filter_map(|plugin| {
            let directory = plugin.sidecar().record.as_deref()?;
            Some((plugin.name(), directory))
        });
        let pipeline = Pipeline::new(
            plugins.cloned(),
            &self.state.listener.name,
            Arc::clone(&self.state.settings),
        );
        match Recorder::new(&self.id, recorded) {
            Some(recorder) => (pipeline.observed_by(Arc::new(recorder)), true),
            None => (pipeline, false),
        }
    }

    /// Reserves the instances that the session may need. Returns `None` if there are too few.
    fn reserve_instances(&self, pipeline: &Pipeline<LoadedPlugin>) -> Option<OwnedSemaphorePermit> {
        let count = u32::try_from(pipeline.instances()).unwrap_or(u32::MAX);
        let instances = Arc::clone(self.state.shared.runtime.instances());
        instances.try_acquire_many_owned(count).ok()
    }

    /// Reads what a trusted proxy says first.
    async fn read_preamble(&mut self) -> Result<Preamble, PreambleError> {
        let listener = &self.state.listener;
        let is_trusted = is_among(&listener.proxy_from, self.remote.ip());
        match (listener.proxy, is_trusted) {
            (ProxyMode::Off, _) | (ProxyMode::Optional, false) => Ok(Preamble::default()),
            (ProxyMode::Required, false) => Err(PreambleError::Untrusted),
            (mode @ (ProxyMode::Optional | ProxyMode::Required), true) => {
                let is_required = mode == ProxyMode::Required;
                preamble::read_header(&mut self.stream, is_required, PROXY_TIMEOUT).await
            }
        }
    }

    /// Encrypts the connection if the listener has implicit TLS.
    async fn encrypt(
        mut self,
        preamble: &mut Preamble,
        shutdown: &mut Shutdown,
    ) -> Result<(Self, Option<(TlsFacts, Channel)>), HandshakeError> {
        let (TlsMode::Implicit, Some(tls)) = (self.state.listener.tls, &self.state.tls) else {
            return Ok((self, None));
        };
        let Stream::Plain(stream) = self.stream else {
            return Ok((self, None));
        };
        // What came behind a PROXY header is the beginning of the handshake.
        let early = mem::take(&mut preamble.early);
        let encrypted = tls.accept(stream, &early, shutdown).await?;
        self.stream = Stream::Tls(encrypted.stream);
        Ok((self, Some((encrypted.facts, encrypted.channel))))
    }

    /// Holds the session. Returns the client's address, as it was at the start, and how it ended.
    async fn hold_session(
        self,
        preamble: Preamble,
        pipeline: Pipeline<LoadedPlugin>,
        is_recorded: bool,
        encryption: Option<(TlsFacts, Channel)>,
        shutdown: Shutdown,
    ) -> (SocketAddr, Ending) {
        let facts = self.facts(&preamble);
        let remote = facts.remote;
        let listener = &self.state.listener;
        debug!(session = self.id, listener = listener.name, %remote, "connected");
        let mut handler = Handler::new(HandlerParts {
            facts,
            pipeline,
            services: Arc::clone(&self.state.shared.services),
            submission: listener.submission,
            shutdown: shutdown.clone(),
        });
        if is_recorded {
            handler.record_host_calls();
        }
        let tls = match (encryption, &self.state.tls) {
            (Some((facts, channel)), _) => {
                handler.encrypted(facts);
                Tls::Active(channel)
            }
            (None, Some(_)) => Tls::Offered,
            (None, None) => Tls::Off,
        };
        let ending = self.converse(handler, tls, preamble, shutdown).await;
        (remote, ending)
    }

    fn facts(&self, preamble: &Preamble) -> SessionFacts {
        let (remote, local) = preamble.addresses(self.remote, self.local);
        let settings = &self.state.settings;
        SessionFacts {
            id: self.id.clone(),
            connected_at: id::now(),
            listener: self.state.listener.name.clone(),
            hostname: settings.hostname.clone(),
            banner: settings.banner.clone(),
            local: canonical(local),
            remote: canonical(remote),
            remote_host: RemoteHost::Unknown,
            proxy: preamble.header.clone(),
            line_endings: settings.line_endings,
        }
    }

    /// Greets the client, or tells it why not, and drives the session.
    async fn converse(
        mut self,
        mut handler: Handler,
        tls: Tls,
        preamble: Preamble,
        mut shutdown: Shutdown,
    ) -> Ending {
        let objection = self.objection(&mut handler, &preamble, &mut shutdown).await;
        let mut offers = handler.offers();
        offers.tls = tls;
        let listener = &self.state.listener;
        if is_among(&listener.xclient_from, self.remote.ip()) {
            offers.client = ClientTrust::NamesClients;
        }
        let settings = &self.state.settings;
        let connection = ClientConnection::new(self.stream, self.state.tls.clone());
        let limits = ClientLimits::from(&listener.limits);
        let driver = Driver::new(connection, handler, Arc::clone(settings), limits, shutdown);
        match objection {
            Some(refusal) => driver.refuse(&refusal).await,
            None => {
                let mut session = Session::new(Arc::clone(settings), offers);
                session.receive(&preamble.early);
                driver.run(session).await
            }
        }
    }

    /// What speaks against the client before the banner. Looks up its name on the way, and holds the
    /// banner back if the operator wants that.
    async fn objection(
        &mut self,
        handler: &mut Handler,
        preamble: &Preamble,
        shutdown: &mut Shutdown,
    ) -> Option<Refusal> {
        let objection = match preamble.header {
            None => None,
            Some(_) => handler.proxy().await,
        };
        let listener = &self.state.listener;
        if listener.reverse_dns && !handler.has_remote_host() {
            let dns = self.state.shared.runtime.dns();
            let name = dns.reverse_name(handler.remote_ip()).await;
            handler.set_reverse_name(name);
        }
        if objection.is_some() {
            return objection;
        }
        match listener.early_talkers {
            EarlyTalkers::Refuse if preamble.early.is_empty() => {
                if preamble::talks_early(&mut self.stream, listener.greet_delay).await {
                    info!(session = self.id, remote = %self.remote, "talked before the banner");
                    return Some(TALKS_EARLY);
                }
            }
            EarlyTalkers::Refuse => {}
            // A pause of no time would take a millisecond, that of the timer.
            EarlyTalkers::Accept if listener.greet_delay.is_zero() => {}
            EarlyTalkers::Accept => shutdown.pause(listener.greet_delay).await,
        }
        None
    }

    async fn refuse_preamble(self, error: &PreambleError) {
        match error {
            PreambleError::Closed(_) => debug!(session = self.id, %error, "no session"),
            _ => warn!(session = self.id, remote = %self.remote, %error, "no session"),
        }
        self.reply_and_close(&NO_PROXY).await;
    }

    async fn turn_away(self, why: TurnedAway) {
        let (reason, reply) = match why {
            TurnedAway::Address => ("address", &TOO_MANY_CONNECTIONS),
            TurnedAway::Full => ("full", &TOO_BUSY),
            TurnedAway::Rate => ("rate", &TOO_OFTEN),
        };
        self.state.shared.services.metrics.turned_away(reason);
        warn!(session = self.id, remote = %self.remote, %reply, "turned away");
        self.reply_and_close(reply).await;
    }

    async fn reply_and_close(mut self, reply: &Reply) {
        let mut octets = Vec::new();
        reply.write(&mut octets);
        // It does not matter if the client reads it.
        _ = timeout(LAST_REPLY_TIMEOUT, async {
            // A client that waits for a TLS handshake would not understand a reply in the clear.
            if self.state.listener.tls != TlsMode::Implicit {
                self.stream.send(&octets).await?;
            }
            self.stream.shutdown().await
        })
        .await;
    }
}

fn is_among(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// An IPv4 address that is mapped into IPv6 becomes one of IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// How long a proxy may take for its header.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client that is not served has to read why.
const LAST_REPLY_TIMEOUT: Duration = Duration::from_secs(2);
