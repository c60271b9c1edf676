//! Reads parts of a message without delaying other sessions.

use std::io;
use std::sync::Arc;

use postgate_mime::Mime;

/// Calls a function on the part `index`: on a blocking thread if the part is large, since reading it would
/// delay other sessions.
///
/// # Errors
///
/// Fails if the function fails or panics.
pub(crate) async fn with_part<T: Send + 'static>(
    mime: &Arc<Mime>,
    index: u32,
    call: impl FnOnce(&Mime) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    run(mime, mime.is_long(index), call).await
}

/// As [`with_part`], for a function on the text of a part.
///
/// # Errors
///
/// Fails if the function fails or panics.
pub(crate) async fn with_text<T: Send + 'static>(
    mime: &Arc<Mime>,
    index: u32,
    call: impl FnOnce(&Mime) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    run(mime, mime.is_text_long(index), call).await
}

async fn run<T: Send + 'static>(
    mime: &Arc<Mime>,
    is_long: bool,
    call: impl FnOnce(&Mime) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    if !is_long {
        return call(mime);
    }
    let mime = Arc::clone(mime);
    let task = tokio::task::spawn_blocking(move || call(&mime));
    task.await.map_err(io::Error::other)?
}
