//! Reads parts of a message without delaying other sessions.

use std::io;
use std::sync::Arc;

use postgate_mime::Mime;

use super::error::HostError;
use crate::meter::Meter;

/// Calls a function on the part `index`: on a blocking thread if the part is large, since reading it would
/// delay other sessions.
///
/// # Errors
///
/// Fails if the function fails or panics, or if the call of the guest has used up its CPU time.
pub(super) async fn with_part<T: Send + 'static>(
    meter: &Meter,
    mime: &Arc<Mime>,
    index: u32,
    call: impl FnOnce(&Mime) -> io::Result<T> + Send + 'static,
) -> wasmtime::Result<T> {
    run(meter, mime, mime.is_long(index), call).await
}

/// As [`with_part`], for a function on the text of a part.
///
/// # Errors
///
/// As [`with_part`].
pub(super) async fn with_text<T: Send + 'static>(
    meter: &Meter,
    mime: &Arc<Mime>,
    index: u32,
    call: impl FnOnce(&Mime) -> io::Result<T> + Send + 'static,
) -> wasmtime::Result<T> {
    run(meter, mime, mime.is_text_long(index), call).await
}

async fn run<T: Send + 'static>(
    meter: &Meter,
    mime: &Arc<Mime>,
    is_long: bool,
    call: impl FnOnce(&Mime) -> io::Result<T> + Send + 'static,
) -> wasmtime::Result<T> {
    match is_long {
        false => Ok(call(mime).map_err(HostError::from)?),
        true => {
            let mime = Arc::clone(mime);
            elsewhere(meter, move || call(&mime)).await
        }
    }
}

/// Reads a message on a blocking thread, within the CPU time of the call.
///
/// # Errors
///
/// As [`with_part`].
pub(super) async fn elsewhere<T: Send + 'static>(
    meter: &Meter,
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> wasmtime::Result<T> {
    let read = meter.elsewhere(read).await.map_err(HostError::from)?;
    // A call that is out of time is so, whatever has become of the reading.
    Ok(read?.map_err(HostError::from)?)
}
