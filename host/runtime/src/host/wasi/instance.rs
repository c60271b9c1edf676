//! The WASI state of one instance.

use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView};

use super::output::{Output, PrintedLines};
use postgate_contract::Grant;

/// The WASI state of one instance. It is created when the guest first calls a function of WASI.
pub(in crate::host) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    output: Output,
}

impl Wasi {
    pub(super) fn new(grants: &[Grant]) -> Self {
        let output = Output::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let mut ctx = WasiCtx::builder();
        ctx.stdout(output.stdout.clone())
            .stderr(output.stderr.clone())
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
        Self {
            ctx: ctx.build(),
            table,
            output,
        }
    }

    pub(super) const fn view(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.ctx,
            table: &mut self.table,
        }
    }

    /// Takes the lines that the guest has printed since the last call. An incomplete last line is kept
    /// unless `all` is true.
    pub(super) fn take_printed(&self, all: bool) -> PrintedLines {
        PrintedLines {
            stdout: self.output.stdout.take_lines(all),
            stderr: self.output.stderr.take_lines(all),
        }
    }
}

impl std::fmt::Debug for Wasi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wasi")
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

/// A clock that always shows 1970-01-01 UTC.
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

/// Returns a source of the same octets for every instance. They repeat and contain every value, so that
/// a guest that waits for a certain value does not loop forever.
fn predictable() -> Deterministic {
    let octets = (0..=u8::MAX).map(|octet| octet.wrapping_mul(167).wrapping_add(13));
    Deterministic::new(octets.collect())
}

/// The greatest number of streams, pollables and other resources of an instance.
const MAX_RESOURCES: usize = 1_024;
/// The greatest number of random octets in one call.
const MAX_RANDOM_OCTETS: u64 = 64 << 10;
