//! WASI for the guests whose language cannot do without it, with nothing granted: no file, no
//! argument, no variable, no network. What a guest prints goes to the log.
//!
//! A guest that waits (`wasi:io/poll`) gives the thread back, and its time on the clock goes on.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView,
};

use super::HostState;
use postgate_contract::Grant;

/// Lets components import WASI 0.2. One that imports nothing of it pays nothing for it.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

/// Whether this import belongs to the part of WASI that is offered.
pub(crate) fn is_offered(import: &str) -> bool {
    PACKAGES.iter().any(|package| {
        let interface = import
            .strip_prefix(package)
            .and_then(|rest| rest.strip_prefix('/'));
        interface.is_some_and(|interface| interface.contains("@0.2."))
    })
}

const PACKAGES: [&str; 6] = [
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:io",
    "wasi:random",
    "wasi:sockets",
];

/// The WASI side of one instance. Made when the guest first calls a function of WASI.
pub(super) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    printed: Printed,
}

impl Wasi {
    fn new(grants: &[Grant]) -> Self {
        let printed = Printed::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let mut ctx = WasiCtx::builder();
        ctx.stdout(printed.stdout.clone())
            .stderr(printed.stderr.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(MAX_RANDOM_OCTETS);
        if !grants.contains(&Grant::Clock) {
            ctx.wall_clock(Frozen).monotonic_clock(Frozen);
        }
        if !grants.contains(&Grant::Random) {
            ctx.secure_random(predictable())
                .insecure_random(predictable())
                .insecure_random_seed(0);
        }
        let ctx = ctx.build();
        Self {
            ctx,
            table,
            printed,
        }
    }
}

impl std::fmt::Debug for Wasi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wasi")
            .field("printed", &self.printed)
            .finish_non_exhaustive()
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let grants = &self.plugin.grants;
        let wasi = self.wasi.get_mut().unwrap_or_else(PoisonError::into_inner);
        let wasi = wasi.get_or_insert_with(|| Box::new(Wasi::new(grants)));
        WasiCtxView {
            ctx: &mut wasi.ctx,
            table: &mut wasi.table,
        }
    }
}

impl HostState {
    /// What the guest has printed since the last time, in lines. The last one may be without its
    /// end, which only the end of a call (`all`) makes up for.
    pub(super) fn take_printed(&mut self, all: bool) -> PrintedLines {
        match self.wasi.get_mut().unwrap_or_else(PoisonError::into_inner) {
            None => PrintedLines::default(),
            Some(wasi) => PrintedLines {
                stdout: wasi.printed.stdout.take_lines(all),
                stderr: wasi.printed.stderr.take_lines(all),
            },
        }
    }
}

/// Lines that a guest has printed.
#[derive(Debug, Default)]
pub(super) struct PrintedLines {
    pub(super) stdout: Vec<String>,
    pub(super) stderr: Vec<String>,
}

/// The standard output and the standard error of a guest.
#[derive(Debug, Default)]
struct Printed {
    stdout: Paper,
    stderr: Paper,
}

/// What a guest has printed and nobody has read. Every handle writes on the same.
#[derive(Clone, Debug, Default)]
struct Paper(Arc<Mutex<Sheet>>);

#[derive(Debug, Default)]
struct Sheet {
    octets: Vec<u8>,
    /// Whether it was too small.
    full: bool,
}

impl Paper {
    /// Takes what fits.
    fn print(&self, octets: &[u8]) {
        let mut sheet = self.sheet();
        let room = MAX_PRINTED - sheet.octets.len();
        sheet.full |= octets.len() > room;
        sheet
            .octets
            .extend_from_slice(&octets[..room.min(octets.len())]);
    }

    fn take_lines(&self, all: bool) -> Vec<String> {
        let mut sheet = self.sheet();
        let end = match sheet.octets.iter().rposition(|octet| *octet == b'\n') {
            _ if all || sheet.full => sheet.octets.len(),
            Some(last) => last + 1,
            None => 0,
        };
        let rest = sheet.octets.split_off(end);
        let octets = std::mem::replace(&mut sheet.octets, rest);
        let text = String::from_utf8_lossy(&octets);
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        if std::mem::take(&mut sheet.full) {
            lines.push(format!("(what came after {MAX_PRINTED} octets is lost)"));
        }
        lines
    }

    fn sheet(&self) -> MutexGuard<'_, Sheet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Paper {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Paper {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Paper {
    async fn ready(&mut self) {}
}

impl OutputStream for Paper {
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

impl AsyncWrite for Paper {
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

/// A clock that stands still at 1970-01-01 UTC.
struct Frozen;

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

/// The same octets for every instance, over and over. Each value of an octet is among them, so that
/// nobody who looks for a certain one looks forever.
fn predictable() -> Deterministic {
    let octets = (0..=u8::MAX).map(|octet| octet.wrapping_mul(167).wrapping_add(13));
    Deterministic::new(octets.collect())
}

/// The most streams, pollables and so on that an instance may hold.
const MAX_RESOURCES: usize = 1_024;
/// The most random octets in one call.
const MAX_RANDOM_OCTETS: u64 = 64 << 10;
/// The most octets of output that wait for the log, for each of the two streams.
const MAX_PRINTED: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_is_wasi_0_2() {
        let table = [
            ("wasi:cli/stdout@0.2.0", true),
            ("wasi:sockets/tcp@0.2.12", true),
            ("wasi:cli/stdout@0.3.0", false),
            ("wasi:http/types@0.2.0", false),
            ("wasi:clicks/stdout@0.2.0", false),
            ("postgate:plugin/log@0.1.0", false),
        ];
        for (import, expected) in table {
            assert_eq!(is_offered(import), expected, "{import}");
        }
    }

    #[test]
    fn lines_come_out_whole() {
        let paper = Paper::default();
        paper.print(b"one\r\ntw");
        assert_eq!(paper.take_lines(false), ["one"]);
        paper.print(b"o\n\nthree\xff");
        assert_eq!(paper.take_lines(false), ["two", ""]);
        assert_eq!(paper.take_lines(true), ["three\u{fffd}"]);
        assert_eq!(paper.take_lines(true), [""; 0]);
    }

    #[test]
    fn output_is_bounded() {
        let paper = Paper::default();
        for _ in 0..3 {
            paper.print(&[b'x'; MAX_PRINTED - 1]);
        }
        let lines = paper.take_lines(false);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), MAX_PRINTED);
        assert!(lines[1].contains("is lost"), "{}", lines[1]);
        assert_eq!(paper.take_lines(true), [""; 0]);
    }
}
