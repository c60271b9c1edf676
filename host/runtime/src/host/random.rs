//! The interface `random`: random octets.

use serde_json::json;

use super::error::HostError;
use super::state::HostState;
use crate::bindings::host::random;

impl random::Host for HostState {
    fn octets(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        let length = length.min(MAX_OCTETS) as usize;
        let draw = || {
            let mut octets = vec![0; length];
            getrandom::fill(&mut octets).map(|()| octets).ok()
        };
        let zeroes = || Some(vec![0; length]);
        let drawn = self.external_call_now("random.octets", || json!([length]), zeroes, draw)?;
        drawn.ok_or_else(|| HostError::Random.into())
    }
}

/// The greatest number of octets in one call.
const MAX_OCTETS: u32 = 4_096;
