//! The server side of the control socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::control::answer::answer;
use crate::control::clients::{Activity, Clients, Doing};
use crate::control::controller::Controller;
use crate::control::protocol::{MAX_REQUEST, Request, Response};
use crate::control::socket::ControlSocket;
use crate::error_chain::Chain;

/// The server of the control socket.
#[derive(Debug)]
pub(crate) struct ControlServer {
    socket: ControlSocket,
}

impl ControlServer {
    pub(crate) fn open(file: &Path) -> io::Result<Self> {
        Ok(Self {
            socket: ControlSocket::open(file)?,
        })
    }

    /// Serves clients until the future is dropped. What a client does keeps no other waiting.
    pub(crate) async fn serve(self, controller: Controller) {
        let mut clients = Clients::default();
        loop {
            match self.socket.listener.accept().await {
                Ok((stream, _)) => {
                    clients.make_room().await;
                    let controller = controller.clone();
                    clients.admit(|activity| async move {
                        if let Err(error) = serve_client(stream, &controller, &activity).await {
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

/// Answers the requests of a client. A request is completed even if its client disconnects, unless it has
/// to make way.
async fn serve_client(
    stream: UnixStream,
    controller: &Controller,
    activity: &Activity,
) -> io::Result<()> {
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
        activity.set(Doing::Asking);
        let response = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => answer(controller, request).await,
            Err(error) => Response::Error {
                reason: format!("not a request: {error}"),
            },
        };
        activity.set(Doing::Idling);
        let mut octets = serde_json::to_vec(&response)?;
        octets.push(b'\n');
        timeout(IO_TIMEOUT, stream.write_all(&octets)).await??;
        if !is_complete {
            return Ok(());
        }
    }
}

/// The time limit for a request, and for the response.
const IO_TIMEOUT: Duration = Duration::from_secs(10);
