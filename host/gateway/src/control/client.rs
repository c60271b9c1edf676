//! The other side of the control socket: a program that asks a running gateway.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::control::protocol::{Request, Response};

/// Asks the gateway that listens on a control socket, and waits for its answer, which takes as long
/// as what is asked for.
///
/// # Errors
///
/// Where no gateway listens there, or it gives no answer.
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
        Err(error) => Err(ControlError::Garbled {
            socket: socket.to_owned(),
            error,
        }),
    }
}

/// Why a gateway did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// What came is no answer.
    #[error("{socket}: no answer of a gateway of this version: {error}", socket = socket.display())]
    Garbled {
        /// Where it was asked.
        socket: PathBuf,
        /// What is wrong with the answer.
        error: serde_json::Error,
    },
    /// The system does not let it be asked.
    #[error("{socket}: {error}", socket = socket.display())]
    Io {
        /// Where it was asked.
        socket: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Nobody listens.
    #[error("{socket}: no gateway listens here ({error}); is it running, with this control.socket?", socket = socket.display())]
    NoGateway {
        /// Where it was asked.
        socket: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The gateway does not understand what is asked.
    #[error("the gateway says: {0}")]
    Refused(String),
}
