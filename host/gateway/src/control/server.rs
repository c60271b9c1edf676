//! The server side of the control socket.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::control::answer::answer;
use crate::control::controller::Controller;
use crate::control::protocol::{MAX_REQUEST, Request, Response};
use crate::control::socket::ControlSocket;
use crate::error_chain::Chain;

/// The server of the control socket.
#[derive(Debug)]
pub(crate) struct ControlServer {
    socket: ControlSocket,
    clients: Arc<Semaphore>,
}

impl ControlServer {
    pub(crate) fn open(file: &Path) -> io::Result<Self> {
        Ok(Self {
            socket: ControlSocket::open(file)?,
            clients: Arc::new(Semaphore::new(MAX_CLIENTS)),
        })
    }

    /// Serves clients until the future is dropped.
    pub(crate) async fn serve(self, controller: Controller) {
        loop {
            // Acquiring fails only if the semaphore is closed, which never happens.
            let permit = Arc::clone(&self.clients).acquire_owned().await;
            match self.socket.listener.accept().await {
                Ok((stream, _)) => {
                    let controller = controller.clone();
                    // A request is completed even if its client disconnects.
                    tokio::spawn(async move {
                        let _permit = permit;
                        if let Err(error) = serve_client(stream, &controller).await {
                            let error = Chain(&error);
                            debug!(%error, "the connection of a control client failed");
                        }
                    });
                }
                Err(error) => {
                    let error = Chain(&error);
                    warn!(%error, "cannot accept a connection on the control socket");
                    // Without file descriptors, accepting fails until a session ends.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn serve_client(stream: UnixStream, controller: &Controller) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut stream).take(MAX_REQUEST);
        let read = bounded.read_until(b'\n', &mut line);
        if timeout(IO_TIMEOUT, read).await?? == 0 {
            return Ok(());
        }
        let is_complete = line.ends_with(b"\n");
        let response = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => answer(controller, request).await,
            Err(error) => Response::Error {
                reason: format!("not a request: {error}"),
            },
        };
        let mut octets = serde_json::to_vec(&response)?;
        octets.push(b'\n');
        timeout(IO_TIMEOUT, stream.write_all(&octets)).await??;
        if !is_complete {
            return Ok(());
        }
    }
}

/// The most clients that are served at a time. Others wait.
const MAX_CLIENTS: usize = 8;
/// The time limit for a request, and for the response.
const IO_TIMEOUT: Duration = Duration::from_secs(10);
