//! Listens, limits how many are served, and stops gracefully.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postgate_proto::relay::RelayDomains;
use postgate_proto::reply::{Enhanced, Reply};
use postgate_proto::session::{Auth, Ending, Settings};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::config::{AuthMode, Config, Limits, Listener};
use crate::connection::Connection;
use crate::delivery::{Delivery, Maildir};
use crate::desk::Desk;
use crate::dns::Dns;
use crate::plugin::context::SessionFacts;
use crate::plugin::pipeline::Pipeline;
use crate::plugin::{PluginSet, Runtime, load_directory};
use crate::spool::{Spool, SpoolSettings};
use crate::{RunError, id};

/// A gateway whose configuration and plugins are good and whose listeners are bound.
#[derive(Debug)]
pub struct Gateway {
    doors: Vec<Door>,
    house: Arc<House>,
    grace: Duration,
}

/// A listener that is bound.
#[derive(Debug)]
struct Door {
    name: Arc<str>,
    socket: TcpListener,
    address: SocketAddr,
    settings: Arc<Settings>,
}

/// What all sessions share.
#[derive(Debug)]
struct House {
    plugins: PluginSet,
    runtime: Arc<Runtime>,
    delivery: Delivery,
    quarantine: Option<Maildir>,
    spool: Arc<SpoolSettings>,
    hostname: String,
    connections: Arc<Semaphore>,
    write_timeout: Duration,
}

impl Gateway {
    /// Makes everything that can fail: the engine, the plugins, the listeners.
    ///
    /// # Errors
    ///
    /// The first kind of thing that fails; of plugins, all that fail.
    pub async fn start(config: Config) -> Result<Self, RunError> {
        let dns = Dns::default();
        let cache = config.plugins.cache.as_deref();
        let runtime =
            Runtime::new(config.plugins.instances, cache, dns).map_err(RunError::Engine)?;
        let runtime = Arc::new(runtime);
        let plugins = match &config.plugins.directory {
            None => PluginSet::default(),
            Some(directory) => load_directory(&runtime, directory, config.plugins.max_file_size)
                .await
                .map_err(RunError::Plugins)?,
        };
        let backend = config.backend.as_ref().ok_or(RunError::NoBackend)?;
        let delivery = Delivery::new(backend, &config.hostname)?;
        let mut doors = Vec::with_capacity(config.listeners.len());
        for listener in &config.listeners {
            doors.push(Door::open(listener, &config).await?);
        }
        let quarantine = config.quarantine.as_deref();
        Ok(Self {
            doors,
            grace: config.limits.shutdown_grace,
            house: Arc::new(House {
                plugins,
                runtime,
                delivery,
                quarantine: quarantine.map(|path| Maildir::new(path, &config.hostname)),
                spool: Arc::new(spool_settings(&config.limits)),
                connections: Arc::new(Semaphore::new(config.limits.connections as usize)),
                write_timeout: config.limits.write_timeout,
                hostname: config.hostname,
            }),
        })
    }

    /// Where the gateway listens, in the order of the configuration, with the ports that the system
    /// chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.doors.iter().map(|door| door.address).collect()
    }

    /// Serves until `shutdown` is ready. Then no session is taken any more, those that wait for a
    /// command are told to come back later, and those in the midst of a message have the grace
    /// period to end it.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let (tell, phase) = watch::channel(Phase::Serving);
        let mut doors = JoinSet::new();
        for door in self.doors {
            info!(
                listener = &*door.name,
                address = %door.address,
                hostname = self.house.hostname,
                version = env!("CARGO_PKG_VERSION"),
                "listening"
            );
            doors.spawn(door.serve(Arc::clone(&self.house), phase.clone()));
        }
        drop(phase);
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

/// How far the gateway is with its work, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Clients are served.
    Serving,
    /// Nobody is let in, and what waits for a command is over.
    Stopping,
    /// Everything that waits for its client is over.
    Cutting,
}

/// Waits until the gateway has come to a phase.
pub(crate) async fn reached(current: &mut watch::Receiver<Phase>, phase: Phase) {
    // An error means that the gateway itself is gone, which comes after all phases.
    _ = current.wait_for(|current| *current >= phase).await;
}

async fn all(doors: &mut JoinSet<()>) {
    while doors.join_next().await.is_some() {}
}

impl Door {
    async fn open(listener: &Listener, config: &Config) -> Result<Self, RunError> {
        let bind_error = |error| RunError::Bind {
            address: listener.address,
            error,
        };
        let socket = TcpListener::bind(listener.address)
            .await
            .map_err(bind_error)?;
        let address = socket.local_addr().map_err(bind_error)?;
        Ok(Self {
            name: listener.name.as_str().into(),
            socket,
            address,
            settings: Arc::new(settings(listener, config)),
        })
    }

    async fn serve(self, house: Arc<House>, phase: watch::Receiver<Phase>) {
        let mut sessions = JoinSet::new();
        let mut current = phase.clone();
        loop {
            tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, remote)) => {
                        self.admit(&house, &phase, stream, remote, &mut sessions);
                    }
                    Err(error) => pause_after(&error).await,
                },
                Some(ended) = sessions.join_next() => note(ended),
                () = reached(&mut current, Phase::Stopping) => break,
            }
        }
        drop(self.socket);
        while let Some(ended) = sessions.join_next().await {
            note(ended);
        }
    }

    /// Lets a client in, or tells it that the house is full.
    fn admit(
        &self,
        house: &Arc<House>,
        phase: &watch::Receiver<Phase>,
        stream: TcpStream,
        remote: SocketAddr,
        sessions: &mut JoinSet<()>,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "replies may be held back by the system");
        }
        let local = stream.local_addr().unwrap_or(self.address);
        let facts = SessionFacts {
            id: id::next(),
            connected_at: id::now(),
            listener: self.name.to_string(),
            hostname: house.hostname.clone(),
            local: canonical(local),
            remote: canonical(remote),
            remote_host: None,
            proxy: None,
            line_endings: self.settings.line_endings,
        };
        let plugins = house.plugins.plugins.iter().cloned();
        let pipeline = Pipeline::new(plugins, &self.name, Arc::clone(&self.settings));
        let Some(room) = Room::take(house, pipeline.len()) else {
            warn!(session = facts.id, %remote, "too busy for another session");
            sessions.spawn(turn_away(stream, house.write_timeout));
            return;
        };
        let id = facts.id.clone();
        debug!(session = id, listener = &*self.name, %remote, "connected");
        let desk = Desk::new(
            facts,
            pipeline,
            house.delivery.clone(),
            house.quarantine.clone(),
            Spool::new(Arc::clone(&house.spool)),
        );
        let connection = Connection::new(
            stream,
            Arc::clone(&self.settings),
            desk,
            house.write_timeout,
            phase.clone(),
        );
        sessions.spawn(async move {
            let ending = connection.run().await;
            drop(room);
            match ending {
                Ending::EndlessLine | Ending::TooManyErrors => {
                    warn!(session = id, %remote, %ending, "session closed for errors of the client");
                }
                _ => debug!(session = id, %remote, %ending, "disconnected"),
            }
        });
    }
}

/// What a session occupies until it is over: a place, and an instance of each plugin.
struct Room {
    _place: OwnedSemaphorePermit,
    _instances: OwnedSemaphorePermit,
}

impl Room {
    fn take(house: &House, instances: usize) -> Option<Self> {
        let instances = u32::try_from(instances).ok()?;
        Some(Self {
            _place: Arc::clone(&house.connections).try_acquire_owned().ok()?,
            _instances: Arc::clone(house.runtime.instances())
                .try_acquire_many_owned(instances)
                .ok()?,
        })
    }
}

async fn turn_away(mut stream: TcpStream, patience: Duration) {
    let mut octets = Vec::new();
    TOO_BUSY.write(&mut octets);
    // Whether the client hears it is its own affair.
    _ = timeout(patience, async {
        stream.write_all(&octets).await?;
        stream.shutdown().await
    })
    .await;
}

/// A lack of file descriptors ends when a session does; trying at once again would only heat.
async fn pause_after(error: &io::Error) {
    warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(panic) = ended {
        error!(%panic, "a session ended by a fault of the gateway");
    }
}

fn settings(listener: &Listener, config: &Config) -> Settings {
    let limits = &config.limits;
    Settings {
        hostname: config.hostname.clone(),
        auth: match listener.auth {
            AuthMode::Off => Auth::Off,
            AuthMode::Optional => Auth::Optional,
            AuthMode::Required => Auth::Required,
        },
        command_timeout: limits.command_timeout,
        max_errors: limits.errors,
        max_message_size: limits.message_size,
        max_recipients: limits.recipients,
        message_timeout: limits.message_timeout,
        relay: RelayDomains::new(config.relay.iter().map(ToString::to_string)),
        ..Settings::default()
    }
}

fn spool_settings(limits: &Limits) -> SpoolSettings {
    SpoolSettings {
        memory: limits.spool_memory as usize,
        limit: limits.message_size.into(),
        directory: None,
    }
}

/// An IPv4 address stays one where the listener takes both kinds.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// How long sessions have to end once they are cut off.
const LAST_WORDS: Duration = Duration::from_secs(2);

const TOO_BUSY: Reply = Reply::fixed(421, Enhanced::new(4, 3, 2), "Too busy, try again later");
