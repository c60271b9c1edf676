//! The gateway's side of the control socket.

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

/// Answers on the control socket.
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

    /// Answers for as long as this is awaited.
    pub(crate) async fn serve(self, controller: Controller) {
        loop {
            // An error means that the semaphore is closed, which it never is.
            let place = Arc::clone(&self.clients).acquire_owned().await;
            match self.socket.listener.accept().await {
                Ok((stream, _)) => {
                    let controller = controller.clone();
                    // What was asked for is done to its end, whoever still listens.
                    tokio::spawn(async move {
                        let _place = place;
                        if let Err(error) = converse(stream, &controller).await {
                            debug!(%error, "a client of the control socket is gone");
                        }
                    });
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection on the control socket");
                    // A lack of file descriptors ends when a session does.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn converse(stream: UnixStream, controller: &Controller) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut stream).take(MAX_REQUEST);
        let read = bounded.read_until(b'\n', &mut line);
        if timeout(PATIENCE, read).await?? == 0 {
            return Ok(());
        }
        let is_whole = line.ends_with(b"\n");
        let response = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => answer(controller, request).await,
            Err(error) => Response::Error {
                reason: format!("not a request: {error}"),
            },
        };
        let mut octets = serde_json::to_vec(&response)?;
        octets.push(b'\n');
        timeout(PATIENCE, stream.write_all(&octets)).await??;
        if !is_whole {
            return Ok(());
        }
    }
}

/// How many may ask at a time. Others wait.
const MAX_CLIENTS: usize = 8;
/// How long a client may take to ask, or to read the answer.
const PATIENCE: Duration = Duration::from_secs(10);
