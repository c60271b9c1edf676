//! Random octets for a guest.

use super::HostState;
use crate::plugin::bindings::host::random;

impl random::Host for HostState {
    fn octets(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        let mut octets = vec![0; length.min(MAX_OCTETS) as usize];
        getrandom::fill(&mut octets)
            .map_err(|error| wasmtime::format_err!("no random octets: {error}"))?;
        Ok(octets)
    }
}

/// The most octets that one call gives.
const MAX_OCTETS: u32 = 4_096;
