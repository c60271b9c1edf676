//! One listener: lets clients in, and brings each to its session.

pub(crate) mod admission;
mod preamble;
mod socket;

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use postgate_proto::proxy::ProxyHeader;
use postgate_proto::reply::{Enhanced, Refusal, Reply};
use postgate_proto::session::{Channel, Ending, Settings, Tls};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::id;
use crate::listener::admission::{Admission, ClientPlace, Place, TurnedAway};
use crate::listener::preamble::{Arrival, ArrivalError};
use crate::metrics::Counted;
use crate::session::driver::{Connection, Manners};
use crate::session::handler::{Desk, Login};
use crate::session::stream::Stream;
use crate::shutdown::{self, Phase, reached};
use crate::state::SharedState;
use crate::supervisor::supervised;
use crate::tls::{HandshakeError, ListenerTls};
use postgate_config::{EarlyTalkers, Listener, ProxyMode, TlsMode};
use postgate_runtime::context::{RemoteHost, SessionFacts, TlsFacts};
use postgate_runtime::pipeline::Pipeline;
use postgate_runtime::recording::Recorder;
use postgate_runtime::{LoadedPlugin, PluginSet};
use postgate_spool::Spool;

/// A listener that is bound.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    socket: TcpListener,
    shared: Arc<Shared>,
    sessions: Mutex<JoinSet<()>>,
}

/// What all sessions of a listener share.
#[derive(Debug)]
struct Shared {
    house: Arc<SharedState>,
    listener: Listener,
    settings: Arc<Settings>,
    tls: Option<Arc<ListenerTls>>,
    admission: Arc<Admission>,
}

impl Door {
    pub(crate) fn open(
        listener: Listener,
        settings: Settings,
        tls: Option<Arc<ListenerTls>>,
        admission: Arc<Admission>,
        house: Arc<SharedState>,
    ) -> io::Result<Self> {
        let socket = socket::listen(listener.address)?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            shared: Arc::new(Shared {
                house,
                listener,
                settings: Arc::new(settings),
                tls,
                admission,
            }),
            sessions: Mutex::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.shared.listener.name
    }

    /// Lets clients in until the gateway stops, and comes back when their sessions are over.
    pub(crate) async fn serve(self, phase: watch::Receiver<Phase>) {
        let door = Arc::new(self);
        let task = format!("listener {}", door.name());
        supervised(&task, || Arc::clone(&door).accept(phase.clone())).await;
        let mut sessions = mem::take(&mut *door.sessions());
        // From here on nobody can connect.
        drop(door);
        while let Some(ended) = sessions.join_next().await {
            note(ended);
        }
    }

    async fn accept(self: Arc<Self>, phase: watch::Receiver<Phase>) {
        let mut current = phase.clone();
        loop {
            tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, remote)) => {
                        let visit = Visit::new(&self.shared, &self.socket, stream, remote);
                        let mut sessions = self.sessions();
                        sessions.spawn(visit.run(phase.clone()));
                        while let Some(ended) = sessions.try_join_next() {
                            note(ended);
                        }
                    }
                    Err(error) => pause_after(&error).await,
                },
                () = reached(&mut current, Phase::Stopping) => return,
            }
        }
    }

    fn sessions(&self) -> MutexGuard<'_, JoinSet<()>> {
        // A set of tasks is whole whatever happened to who held it.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client at the door.
struct Visit {
    shared: Arc<Shared>,
    stream: Stream,
    id: String,
    remote: SocketAddr,
    local: SocketAddr,
    place: Result<Place, TurnedAway>,
}

/// What a session occupies until it is over.
struct Room {
    _place: Place,
    _client: ClientPlace,
    _slot: Option<OwnedSemaphorePermit>,
    _instances: OwnedSemaphorePermit,
    _counted: Counted,
}

impl Visit {
    fn new(
        shared: &Arc<Shared>,
        socket: &TcpListener,
        stream: TcpStream,
        remote: SocketAddr,
    ) -> Self {
        // Replies are written whole: holding them back would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "replies may be held back by the system");
        }
        let local = stream.local_addr().or_else(|_| socket.local_addr());
        Self {
            shared: Arc::clone(shared),
            stream: Stream::Plain(stream),
            id: id::next(),
            remote: canonical(remote),
            local: canonical(local.unwrap_or(remote)),
            place: shared.admission.admit(),
        }
    }

    async fn run(mut self, mut phase: watch::Receiver<Phase>) {
        let shared = Arc::clone(&self.shared);
        let metrics = &shared.house.metrics;
        metrics.accepted.inc();
        let _open = Counted::on(&metrics.connections);
        let place = match mem::replace(&mut self.place, Err(TurnedAway::Full)) {
            Ok(place) => place,
            Err(why) => return self.turn_away(why).await,
        };
        let mut arrival = match self.arrive().await {
            Ok(arrival) => arrival,
            Err(error) => return self.refuse_arrival(&error).await,
        };
        let (remote, _) = preamble::addresses(arrival.header.as_ref(), self.remote, self.local);
        let client = match shared.admission.admit_client(remote.ip()) {
            Ok(client) => client,
            Err(why) => return self.turn_away(why).await,
        };
        let slot = shared.admission.slot().await;
        // The set with which the session ends, whatever comes in its place meanwhile.
        let plugins = Arc::clone(&shared.house.library.current().set);
        let (pipeline, is_recorded) = self.pipeline(&plugins);
        let count = u32::try_from(pipeline.instances()).unwrap_or(u32::MAX);
        let instances = Arc::clone(shared.house.runtime.instances());
        let Ok(instances) = instances.try_acquire_many_owned(count) else {
            return self.turn_away(TurnedAway::Full).await;
        };
        let room = Room {
            _place: place,
            _client: client,
            _slot: slot,
            _instances: instances,
            _counted: Counted::on(&metrics.sessions),
        };
        let session = self.id.clone();
        let (visit, encryption) = match self.encrypt(&mut arrival, &mut phase).await {
            Ok(encrypted) => encrypted,
            Err(error) => return error.log(&session, remote),
        };
        let facts = visit.facts(arrival.header.clone());
        let remote = facts.remote;
        debug!(session, listener = shared.listener.name, %remote, "connected");
        let mut desk = visit.desk(facts, pipeline);
        desk.follow(phase.clone());
        if is_recorded {
            desk.record();
        }
        let tls = encryption.map_or(Tls::Off, |(facts, channel)| {
            desk.encrypted(facts);
            Tls::Active(channel)
        });
        let ending = visit.converse(desk, tls, arrival, phase).await;
        drop(room);
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
            &self.shared.listener.name,
            Arc::clone(&self.shared.settings),
        );
        match Recorder::new(&self.id, recorded) {
            Some(recorder) => (pipeline.observed_by(Arc::new(recorder)), true),
            None => (pipeline, false),
        }
    }

    fn desk(&self, facts: SessionFacts, pipeline: Pipeline<LoadedPlugin>) -> Desk {
        let house = &self.shared.house;
        let mut desk = Desk::new(
            facts,
            pipeline,
            house.delivery.clone(),
            house.quarantine.clone(),
            Spool::new(Arc::clone(&house.spool)),
            Login::new(Arc::clone(&house.secrets), Arc::clone(&house.attempts)),
            Arc::clone(&house.metrics),
        );
        desk.set_submission(self.shared.listener.submission);
        desk
    }

    /// Reads what a trusted proxy says first.
    async fn arrive(&mut self) -> Result<Arrival, ArrivalError> {
        let listener = &self.shared.listener;
        let is_trusted = is_among(&listener.proxy_from, self.remote.ip());
        match (listener.proxy, is_trusted) {
            (ProxyMode::Off, _) | (ProxyMode::Optional, false) => Ok(Arrival::default()),
            (ProxyMode::Required, false) => Err(ArrivalError::Untrusted),
            (mode @ (ProxyMode::Optional | ProxyMode::Required), true) => {
                let is_required = mode == ProxyMode::Required;
                preamble::read_header(&mut self.stream, is_required, PROXY_PATIENCE).await
            }
        }
    }

    /// Encrypts the connection, where a listener has it so from the first octet on.
    async fn encrypt(
        mut self,
        arrival: &mut Arrival,
        phase: &mut watch::Receiver<Phase>,
    ) -> Result<(Self, Option<(TlsFacts, Channel)>), HandshakeError> {
        let (TlsMode::Implicit, Some(tls)) = (self.shared.listener.tls, &self.shared.tls) else {
            return Ok((self, None));
        };
        let Stream::Plain(stream) = self.stream else {
            return Ok((self, None));
        };
        // What came behind a PROXY header is the beginning of the handshake.
        let early = mem::take(&mut arrival.early);
        let encrypted = tls.accept(stream, &early, phase).await?;
        self.stream = Stream::Tls(encrypted.stream);
        Ok((self, Some((encrypted.facts, encrypted.channel))))
    }

    fn facts(&self, proxy: Option<ProxyHeader>) -> SessionFacts {
        let (remote, local) = preamble::addresses(proxy.as_ref(), self.remote, self.local);
        SessionFacts {
            id: self.id.clone(),
            connected_at: id::now(),
            listener: self.shared.listener.name.clone(),
            hostname: self.shared.settings.hostname.clone(),
            local: canonical(local),
            remote: canonical(remote),
            remote_host: RemoteHost::Unknown,
            proxy,
            line_endings: self.shared.settings.line_endings,
        }
    }

    /// Greets the client, or says why not, and has the conversation.
    async fn converse(
        mut self,
        mut desk: Desk,
        tls: Tls,
        arrival: Arrival,
        mut phase: watch::Receiver<Phase>,
    ) -> Ending {
        let shared = self.shared;
        let listener = &shared.listener;
        let objection = match arrival.header {
            None => None,
            Some(_) => desk.proxy().await,
        };
        if listener.reverse_dns && !desk.has_remote_host() {
            let dns = shared.house.runtime.dns();
            let name = dns.reverse_name(desk.remote_ip()).await;
            desk.set_reverse_name(name);
        }
        let hears_early =
            arrival.early.is_empty() && listener.early_talkers == EarlyTalkers::Refuse;
        let objection = match objection {
            None if hears_early
                && preamble::talks_early(&mut self.stream, listener.greet_delay).await =>
            {
                info!(session = self.id, remote = %self.remote, "talked before the banner");
                Some(TALKS_EARLY)
            }
            // Sleeping for no time takes a millisecond, that of the timer.
            None if listener.early_talkers == EarlyTalkers::Accept
                && !listener.greet_delay.is_zero() =>
            {
                shutdown::pause(listener.greet_delay, &mut phase).await;
                None
            }
            objection => objection,
        };
        let mut offers = desk.offers();
        offers.tls = match (tls, &shared.tls) {
            (Tls::Off, Some(_)) => Tls::Offered,
            (tls, _) => tls,
        };
        offers.xclient = is_among(&listener.xclient_from, self.remote.ip());
        let manners = Manners {
            write_timeout: listener.limits.write_timeout,
            tarpit: listener.limits.tarpit,
            tarpit_after: listener.limits.tarpit_after,
        };
        let settings = Arc::clone(&shared.settings);
        let tls = shared.tls.clone();
        let mut connection =
            Connection::new(self.stream, tls, settings, offers, desk, manners, phase);
        match objection {
            None => {
                connection.receive(&arrival.early);
                connection.run().await
            }
            Some(refusal) => connection.refuse(&refusal).await,
        }
    }

    async fn refuse_arrival(self, error: &ArrivalError) {
        match error {
            ArrivalError::Closed(_) => debug!(session = self.id, %error, "no session"),
            _ => warn!(session = self.id, remote = %self.remote, %error, "no session"),
        }
        self.say_and_close(&NO_PROXY).await;
    }

    async fn turn_away(self, why: TurnedAway) {
        let (reason, reply) = match why {
            TurnedAway::Address => ("address", &TOO_MANY_CONNECTIONS),
            TurnedAway::Full => ("full", &TOO_BUSY),
            TurnedAway::Rate => ("rate", &TOO_OFTEN),
        };
        self.shared.house.metrics.turned_away(reason);
        warn!(session = self.id, remote = %self.remote, %reply, "turned away");
        self.say_and_close(reply).await;
    }

    async fn say_and_close(mut self, reply: &Reply) {
        let mut octets = Vec::new();
        reply.write(&mut octets);
        // Whether the client hears it is its own affair.
        _ = timeout(LAST_WORD, async {
            // In clear, nobody would understand it who waits for a handshake.
            if self.shared.listener.tls != TlsMode::Implicit {
                self.stream.say(&octets).await?;
            }
            self.stream.shutdown().await
        })
        .await;
    }
}

fn is_among(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// A lack of file descriptors ends when a session does; trying at once again would only heat.
async fn pause_after(error: &io::Error) {
    warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn note(ended: Result<(), JoinError>) {
    if let Err(panic) = ended {
        error!(%panic, "a session ended by a fault of the gateway");
    }
}

/// An IPv4 address stays one where the listener takes both kinds.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// How long a proxy may take for its header.
const PROXY_PATIENCE: Duration = Duration::from_secs(5);
/// How long a client that is not served has to hear it.
const LAST_WORD: Duration = Duration::from_secs(2);

const NO_PROXY: Reply = Reply::fixed(421, Enhanced::new(4, 3, 2), "This service is not for you");
const TOO_BUSY: Reply = Reply::fixed(421, Enhanced::new(4, 3, 2), "Too busy, try again later");
const TOO_MANY_CONNECTIONS: Reply = Reply::fixed(
    421,
    Enhanced::new(4, 7, 0),
    "Too many connections from your address",
);
const TOO_OFTEN: Reply = Reply::fixed(
    421,
    Enhanced::new(4, 7, 0),
    "Too many connections, slow down",
);
const TALKS_EARLY: Refusal = Refusal::fixed(
    554,
    Enhanced::new(5, 5, 0),
    "You talk before you are greeted",
);
