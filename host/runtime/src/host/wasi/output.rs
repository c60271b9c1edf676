//! The standard output and standard error of a guest.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Lines that a guest has printed.
#[derive(Debug, Default)]
pub(in crate::host) struct PrintedLines {
    pub(in crate::host) stdout: Vec<String>,
    pub(in crate::host) stderr: Vec<String>,
}

/// The standard output and the standard error of a guest.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) stdout: OutputBuffer,
    pub(super) stderr: OutputBuffer,
}

/// Output of a guest that was not yet logged. Clones share one buffer.
#[derive(Clone, Debug, Default)]
pub(super) struct OutputBuffer(Arc<Mutex<Buffer>>);

#[derive(Debug, Default)]
struct Buffer {
    octets: Vec<u8>,
    /// True if output was dropped because the buffer was full.
    is_truncated: bool,
}

impl OutputBuffer {
    /// Appends as much as fits.
    fn print(&self, octets: &[u8]) {
        let mut buffer = self.lock();
        let room = MAX_PRINTED - buffer.octets.len();
        buffer.is_truncated |= octets.len() > room;
        buffer
            .octets
            .extend_from_slice(&octets[..room.min(octets.len())]);
    }

    /// Takes the complete lines. An incomplete last line is kept unless `all` is true or the buffer is
    /// full.
    pub(super) fn take_lines(&self, all: bool) -> Vec<String> {
        let mut buffer = self.lock();
        let end = match buffer.octets.iter().rposition(|octet| *octet == b'\n') {
            _ if all || buffer.is_truncated => buffer.octets.len(),
            Some(last) => last + 1,
            None => 0,
        };
        let rest = buffer.octets.split_off(end);
        let octets = std::mem::replace(&mut buffer.octets, rest);
        let text = String::from_utf8_lossy(&octets);
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        if std::mem::take(&mut buffer.is_truncated) {
            lines.push(format!("(what came after {MAX_PRINTED} octets is lost)"));
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        // A poisoned lock is usable: any state of the buffer is valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for OutputBuffer {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for OutputBuffer {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for OutputBuffer {
    async fn ready(&mut self) {}
}

impl OutputStream for OutputBuffer {
    fn write(&mut self, octets: Bytes) -> StreamResult<()> {
        self.print(&octets);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_PRINTED)
    }
}

impl AsyncWrite for OutputBuffer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.print(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The greatest size in octets of output that was not yet logged, for each of the two streams.
const MAX_PRINTED: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_whole() {
        let buffer = OutputBuffer::default();
        buffer.print(b"one\r\ntw");
        assert_eq!(buffer.take_lines(false), ["one"]);
        buffer.print(b"o\n\nthree\xff");
        assert_eq!(buffer.take_lines(false), ["two", ""]);
        assert_eq!(buffer.take_lines(true), ["three\u{fffd}"]);
        assert_eq!(buffer.take_lines(true), [""; 0]);
    }

    #[test]
    fn output_is_bounded() {
        let buffer = OutputBuffer::default();
        for _ in 0..3 {
            buffer.print(&[b'x'; MAX_PRINTED - 1]);
        }
        let lines = buffer.take_lines(false);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), MAX_PRINTED);
        assert!(lines[1].contains("is lost"), "{}", lines[1]);
        assert_eq!(buffer.take_lines(true), [""; 0]);
    }
}
