//! A connection until the end of its session: limits, PROXY header, implicit TLS, reverse DNS, banner.

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use postgate_config::{EarlyTalkers, Listener, ProxyMode, TlsMode};
use postgate_proto::address::Charset;
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
use tracing::{Instrument as _, debug, debug_span, info, warn};

use super::admission::{Admission, AdmissionError, ClientPermit, ConnectionPermit};
use super::permits::SessionPermits;
use super::preamble::{self, ConnectionPreamble, PreambleError};
use super::replies::{
    EARLY_TALKER, NO_PROXY_HEADER, RATE_EXCEEDED, TOO_BUSY, TOO_MANY_CONNECTIONS, TOO_MUCH_WORK,
};
use crate::error_chain::Chain;
use crate::metrics::Counted;
use crate::session::{ClientConnection, ClientLimits, Driver, Handler, HandlerParts, Stream};
use crate::shutdown::Shutdown;
use crate::state::SharedState;
use crate::tls::{HandshakeError, ListenerTls};
use crate::{clock, id};

/// The state that all connections to a listener share.
#[derive(Debug)]
pub(super) struct ListenerState {
    pub(super) shared: Arc<SharedState>,
    pub(super) listener: Listener,
    pub(super) settings: Arc<Settings>,
    pub(super) tls: Option<Arc<ListenerTls>>,
    pub(super) admission: Arc<Admission>,
}

/// An accepted connection without a session.
pub(super) struct IncomingConnection {
    state: Arc<ListenerState>,
    stream: Stream,
    /// The identifier of the session.
    id: String,
    /// The peer of the socket: the client or a proxy.
    remote: SocketAddr,
    local: SocketAddr,
    permit: Result<(ConnectionPermit, OwnedSemaphorePermit), AdmissionError>,
}

impl IncomingConnection {
    pub(super) fn new(
        state: Arc<ListenerState>,
        stream: TcpStream,
        remote: SocketAddr,
        local: SocketAddr,
    ) -> Self {
        // Replies are written as a whole, so Nagle's algorithm would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(error = %Chain(&error), "cannot set TCP_NODELAY; replies may be delayed");
        }
        Self {
            stream: Stream::Plain(stream),
            id: id::next(),
            remote: canonical(remote),
            local: canonical(local),
            permit: admit(&state),
            state,
        }
    }

    /// Serves the client to the end of its session.
    pub(super) async fn serve(mut self, mut shutdown: Shutdown) {
        let state = Arc::clone(&self.state);
        let metrics = &state.shared.services.metrics;
        metrics.accepted.inc();
        let _open = Counted::on(&metrics.connections);
        let peer = self.remote;
        let (connection, descriptors) =
            match mem::replace(&mut self.permit, Err(AdmissionError::Full)) {
                Ok(permit) => permit,
                Err(error) => return self.deny(error, peer).await,
            };
        let mut preamble = match self.read_preamble().await {
            Ok(preamble) => preamble,
            Err(error) => return self.refuse_preamble(&error).await,
        };
        let (remote, _) = preamble.addresses(self.remote, self.local);
        let admitted = match preamble.is_from_proxy() {
            true => Ok(ClientPermit::uncounted()),
            false => state.admission.admit_client(remote.ip()),
        };
        let client = match admitted {
            Ok(permit) => permit,
            Err(error) => return self.deny(error, remote).await,
        };
        let slot = tokio::select! {
            biased;
            slot = state.admission.slot() => slot,
            () = self.stream.left() => return,
        };
        // A session keeps its plugins, even if a reload replaces them in the registry.
        let plugins = Arc::clone(&state.shared.plugins.current().set);
        let (pipeline, is_recorded) = self.pipeline(&plugins);
        let instances = match self.reserve_instances(&plugins, &pipeline, remote.ip()) {
            Ok(permit) => permit,
            Err(error) => return self.deny(error, remote).await,
        };
        let permits = SessionPermits {
            _connection: connection,
            _descriptors: descriptors,
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
            .run_session(preamble, pipeline, is_recorded, encryption, shutdown)
            .await;
        drop(permits);
        match ending {
            Ending::EndlessLine | Ending::TooManyErrors => {
                warn!(session, %remote, %ending, "session closed for errors of the client");
            }
            _ => debug!(session, %remote, %ending, "disconnected"),
        }
    }

    /// Returns the pipeline of this session, and true if any of its plugins is to be recorded.
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
        )
        .bounded_by(self.state.listener.limits.plugins_timeout)
        .charged_to(Arc::clone(self.state.shared.runtime.clients()));
        match Recorder::new(&self.id, recorded) {
            Some(recorder) => (pipeline.observed_by(Arc::new(recorder)), true),
            None => (pipeline, false),
        }
    }

    /// Reserves the plugin instances that the session of a client may need.
    ///
    /// # Errors
    ///
    /// Fails if too few are free, or too little memory or processor time is left for them.
    fn reserve_instances(
        &self,
        plugins: &PluginSet,
        pipeline: &Pipeline<LoadedPlugin>,
        client: IpAddr,
    ) -> Result<OwnedSemaphorePermit, AdmissionError> {
        let runtime = &self.state.shared.runtime;
        let count = u32::try_from(pipeline.instances()).unwrap_or(u32::MAX);
        if count > 0 && !runtime.memory().has_room() {
            // Those that nobody uses may have grown, and shrink by no other way.
            let plugins = plugins.plugins.iter();
            plugins.for_each(|plugin| plugin.drop_idle_instances());
            if !runtime.memory().has_room() {
                return Err(AdmissionError::Memory);
            }
        }
        if runtime.clients().is_exhausted(client) {
            return Err(AdmissionError::Cpu);
        }
        let permit = Arc::clone(runtime.instances()).try_acquire_many_owned(count);
        permit.map_err(|_| AdmissionError::Full)
    }

    /// Reads the PROXY header if the listener expects one from this peer.
    async fn read_preamble(&mut self) -> Result<ConnectionPreamble, PreambleError> {
        let listener = &self.state.listener;
        let is_trusted = contains(&listener.proxy_from, self.remote.ip());
        match (listener.proxy, is_trusted) {
            (ProxyMode::Off, _) | (ProxyMode::Optional, false) => Ok(ConnectionPreamble::default()),
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
        preamble: &mut ConnectionPreamble,
        shutdown: &mut Shutdown,
    ) -> Result<(Self, Option<(TlsFacts, Channel)>), HandshakeError> {
        let (TlsMode::Implicit, Some(tls)) = (self.state.listener.tls, &self.state.tls) else {
            return Ok((self, None));
        };
        let Stream::Plain(stream) = self.stream else {
            return Ok((self, None));
        };
        // Octets behind a PROXY header are the beginning of the handshake.
        let early = mem::take(&mut preamble.early);
        let encrypted = tls.accept(stream, &early, shutdown).await?;
        self.stream = Stream::Tls(encrypted.stream);
        Ok((self, Some((encrypted.facts, encrypted.channel))))
    }

    /// Runs the session. Returns the client's address at its start, and how it ended.
    async fn run_session(
        self,
        preamble: ConnectionPreamble,
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
        let ending = self.drive(handler, tls, preamble, shutdown).await;
        (remote, ending)
    }

    fn facts(&self, preamble: &ConnectionPreamble) -> SessionFacts {
        let (remote, local) = preamble.addresses(self.remote, self.local);
        let settings = &self.state.settings;
        SessionFacts {
            id: self.id.clone(),
            connected_at: clock::unix_time(),
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

    /// Drives the session from its banner, or from a refusal in place of the banner.
    async fn drive(
        mut self,
        mut handler: Handler,
        tls: Tls,
        preamble: ConnectionPreamble,
        mut shutdown: Shutdown,
    ) -> Ending {
        let refusal = self
            .check_before_banner(&mut handler, &preamble, &mut shutdown)
            .await;
        let mut offers = handler.offers();
        offers.tls = tls;
        let listener = &self.state.listener;
        if contains(&listener.xclient_from, self.remote.ip()) {
            offers.client = ClientTrust::NamesClients;
        }
        let settings = &self.state.settings;
        let connection = ClientConnection::new(self.stream, self.state.tls.clone());
        let limits = ClientLimits::from(&listener.limits);
        let driver = Driver::new(connection, handler, Arc::clone(settings), limits, shutdown);
        match refusal {
            Some(refusal) => driver.refuse(&refusal).await,
            None => {
                let mut session = Session::new(Arc::clone(settings), offers);
                session.receive(&preamble.early);
                driver.run(session).await
            }
        }
    }

    /// Returns a refusal if a plugin objects to the PROXY header, or the client sends octets before the
    /// banner and the listener refuses that. Looks up the client's name and waits for
    /// `greet-delay`.
    async fn check_before_banner(
        &mut self,
        handler: &mut Handler,
        preamble: &ConnectionPreamble,
        shutdown: &mut Shutdown,
    ) -> Option<Refusal> {
        let refusal = match preamble.header {
            None => None,
            Some(_) => handler.proxy().await,
        };
        let listener = &self.state.listener;
        if listener.reverse_dns && !handler.has_remote_host() {
            let dns = self.state.shared.runtime.dns();
            let span = debug_span!("reverse-dns", session = self.id);
            let name = dns.reverse_name(handler.remote_ip());
            let name = name.instrument(span).await;
            handler.set_reverse_name(name);
        }
        if refusal.is_some() {
            return refusal;
        }
        match listener.early_talkers {
            EarlyTalkers::Refuse => {
                let is_early = match preamble.early.is_empty() {
                    true => preamble::sends_early(&mut self.stream, listener.greet_delay).await,
                    // A proxy may send what is the client's together with its header.
                    false => !preamble.is_from_proxy(),
                };
                if is_early {
                    info!(session = self.id, remote = %self.remote, "sent data before the banner");
                    return Some(EARLY_TALKER);
                }
            }
            // The timer has a resolution of a millisecond, which a pause of 0 would take.
            EarlyTalkers::Accept if listener.greet_delay.is_zero() => {}
            EarlyTalkers::Accept => tokio::select! {
                () = shutdown.pause(listener.greet_delay) => {}
                // What it has sent may still be answered.
                () = self.stream.left() => {}
            },
        }
        None
    }

    async fn refuse_preamble(self, error: &PreambleError) {
        let shown = Chain(error);
        match error {
            PreambleError::Connection(_) => {
                debug!(session = self.id, error = %shown, "no session");
            }
            _ => warn!(session = self.id, remote = %self.remote, error = %shown, "no session"),
        }
        self.reply_and_close(&NO_PROXY_HEADER).await;
    }

    /// Closes a connection that exceeds a limit, of this client as far as it is known.
    async fn deny(self, error: AdmissionError, remote: SocketAddr) {
        let (reason, reply) = match error {
            AdmissionError::Descriptors => ("descriptors", &TOO_BUSY),
            AdmissionError::Address => ("address", &TOO_MANY_CONNECTIONS),
            AdmissionError::Cpu => ("plugin-cpu", TOO_MUCH_WORK.reply()),
            AdmissionError::Full => ("full", &TOO_BUSY),
            AdmissionError::Memory => ("plugin-memory", &TOO_BUSY),
            AdmissionError::Rate => ("rate", &RATE_EXCEEDED),
        };
        self.state.shared.services.metrics.count_denied(reason);
        warn!(session = self.id, %remote, limit = reason, %reply, "turned away");
        self.reply_and_close(reply).await;
    }

    async fn reply_and_close(mut self, reply: &Reply) {
        let mut octets = Vec::new();
        reply.write(Charset::Ascii, &mut octets);
        // The client may not read the reply.
        _ = timeout(LAST_REPLY_TIMEOUT, async {
            // A client that expects a TLS handshake cannot parse a plaintext reply.
            if self.state.listener.tls != TlsMode::Implicit {
                self.stream.send(&octets).await?;
            }
            self.stream.shutdown().await
        })
        .await;
    }
}

/// Admits a connection before its client is known.
fn admit(
    state: &ListenerState,
) -> Result<(ConnectionPermit, OwnedSemaphorePermit), AdmissionError> {
    let connection = state.admission.admit()?;
    let descriptors = state.shared.descriptors.take();
    Ok((connection, descriptors.ok_or(AdmissionError::Descriptors)?))
}

fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Converts an IPv4-mapped IPv6 address to IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The time limit for each read of a PROXY header.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);
/// The time limit for the reply to a client without a session.
const LAST_REPLY_TIMEOUT: Duration = Duration::from_secs(2);
