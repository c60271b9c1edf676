//! The client side of the control socket.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::control::protocol::{Request, Response};

/// Sends a request to the gateway that listens on a control socket. Waits without a time limit, since a
/// reload of plugins can take long.
///
/// # Errors
///
/// Fails if no gateway listens on the socket, or it does not answer the request.
pub fn ask(socket: &Path, request: Request) -> Result<Response, ControlError> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ControlError::NoGateway {
            socket: socket.to_owned(),
            error,
        },
        _ => ControlError::Io {
            socket: socket.to_owned(),
            error,
        },
    };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    let mut line = serde_json::to_string(&request).map_err(|error| failed(error.into()))?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(failed)?;
    line.clear();
    BufReader::new(stream)
        .read_line(&mut line)
        .map_err(failed)?;
    match serde_json::from_str(&line) {
        Ok(Response::Error { reason }) => Err(ControlError::Refused(reason)),
        Ok(response) => Ok(response),
        Err(error) => Err(ControlError::InvalidResponse {
            socket: socket.to_owned(),
            error,
        }),
    }
}

/// Why a gateway did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The response is malformed. The gateway has probably another version.
    #[error("{socket}: no answer of a gateway of this version: {error}", socket = socket.display())]
    InvalidResponse {
        /// The file of the socket.
        socket: PathBuf,
        /// The error of the JSON parser.
        #[source]
        error: serde_json::Error,
    },
    /// The connection failed, or the file may not be opened.
    #[error("{socket}: {error}", socket = socket.display())]
    Io {
        /// The file of the socket.
        socket: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// No gateway listens on the socket.
    #[error("{socket}: no gateway listens here ({error}); is it running, with this control.socket?", socket = socket.display())]
    NoGateway {
        /// The file of the socket.
        socket: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The gateway does not know the request. It has probably another version.
    #[error("the gateway says: {0}")]
    Refused(String),
}
