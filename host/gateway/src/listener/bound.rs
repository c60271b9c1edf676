//! A listener that is bound: accepts connections for as long as the gateway serves.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postgate_config::Listener;
use postgate_proto::session::Settings;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tracing::{error, warn};

use super::admission::Admission;
use super::incoming::{IncomingConnection, ListenerState};
use super::socket;
use crate::shutdown::{Phase, Shutdown};
use crate::state::SharedState;
use crate::supervisor::supervised;
use crate::tls::ListenerTls;

/// A listener that is bound.
#[derive(Debug)]
pub(crate) struct BoundListener {
    pub(crate) address: SocketAddr,
    socket: TcpListener,
    state: Arc<ListenerState>,
    sessions: Mutex<JoinSet<()>>,
}

impl BoundListener {
    pub(crate) fn bind(
        listener: Listener,
        settings: Settings,
        tls: Option<Arc<ListenerTls>>,
        admission: Arc<Admission>,
        shared: Arc<SharedState>,
    ) -> io::Result<Self> {
        let socket = socket::listen(listener.address)?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            state: Arc::new(ListenerState {
                shared,
                listener,
                settings: Arc::new(settings),
                tls,
                admission,
            }),
            sessions: Mutex::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.state.listener.name
    }

    /// Accepts connections until the gateway stops, and returns when their sessions have ended.
    pub(crate) async fn serve(self, shutdown: Shutdown) {
        let listener = Arc::new(self);
        let task = format!("listener {}", listener.name());
        supervised(&task, || Arc::clone(&listener).accept(shutdown.clone())).await;
        let mut sessions = mem::take(&mut *listener.sessions());
        // The socket closes with the last reference: from here on nobody can connect.
        drop(listener);
        while let Some(ended) = sessions.join_next().await {
            log_panic(ended);
        }
    }

    async fn accept(self: Arc<Self>, shutdown: Shutdown) {
        let mut phases = shutdown.clone();
        loop {
            tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, remote)) => {
                        // An address that the system does not tell is that of the listener.
                        let local = stream.local_addr().unwrap_or(self.address);
                        let state = Arc::clone(&self.state);
                        let incoming = IncomingConnection::new(state, stream, remote, local);
                        let mut sessions = self.sessions();
                        sessions.spawn(incoming.serve(shutdown.clone()));
                        while let Some(ended) = sessions.try_join_next() {
                            log_panic(ended);
                        }
                    }
                    Err(error) => back_off(&error).await,
                },
                () = phases.reached(Phase::Stopping) => return,
            }
        }
    }

    fn sessions(&self) -> MutexGuard<'_, JoinSet<()>> {
        // A set of tasks is whole whatever happened to a thread that held it.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepting fails again at once while file descriptors are exhausted; they come back when a session
/// ends.
async fn back_off(error: &io::Error) {
    warn!(%error, "cannot accept a connection");
    tokio::time::sleep(ACCEPT_BACK_OFF).await;
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(panic) = ended {
        error!(%panic, "a session ended by a fault of the gateway");
    }
}

const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);
