//! A bound listener: accepts connections until the gateway stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postgate_config::Listener;
use postgate_proto::session::Settings;
use tokio::net::TcpListener;
use tokio::task::JoinError;
use tracing::{error, warn};

use super::admission::Admission;
use super::connection::{IncomingConnection, ListenerState};
use super::session_tasks::SessionTasks;
use super::socket;
use crate::error_chain::Chain;
use crate::shutdown::{Shutdown, ShutdownPhase};
use crate::state::SharedState;
use crate::supervisor::supervise;
use crate::tls::ListenerTls;

/// A bound listener.
#[derive(Debug)]
pub(crate) struct BoundListener {
    /// The address of the socket, with the port that the system has chosen.
    pub(crate) address: SocketAddr,
    socket: TcpListener,
    state: Arc<ListenerState>,
    sessions: SessionTasks,
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
            sessions: SessionTasks::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.state.listener.name
    }

    /// Accepts connections until the gateway stops, and returns when their sessions have ended.
    pub(crate) async fn serve(self, shutdown: Shutdown) {
        let listener = Arc::new(self);
        let task = format!("listener {}", listener.name());
        supervise(&task, || Arc::clone(&listener).accept(shutdown.clone())).await;
        let mut sessions = listener.sessions.take();
        // This is the last reference: dropping it closes the socket.
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
                        // The address is unavailable if the client has disconnected already.
                        let local = stream.local_addr().unwrap_or(self.address);
                        let state = Arc::clone(&self.state);
                        let incoming = IncomingConnection::new(state, stream, remote, local);
                        self.sessions.spawn(incoming.serve(shutdown.clone()));
                    }
                    Err(error) => back_off(&error).await,
                },
                ended = self.sessions.next_ended() => log_panic(ended),
                () = phases.reached(ShutdownPhase::Stopping) => return,
            }
        }
    }
}

/// Waits before the next attempt. Without file descriptors, accepting fails until a session ends.
async fn back_off(error: &io::Error) {
    warn!(error = %Chain(error), "cannot accept a connection");
    tokio::time::sleep(ACCEPT_BACK_OFF).await;
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(panic) = ended {
        error!(panic = %Chain(&panic), "a session ended by a fault of the gateway");
    }
}

const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);
