//! The interface `addresses`: the comparison of addresses and domains.

use super::state::HostState;
use crate::bindings::host::addresses;

impl addresses::Host for HostState {
    fn canonical(&mut self, address: String) -> wasmtime::Result<String> {
        Ok(postgate_address::canonical(&address))
    }

    fn canonical_domain(&mut self, domain: String) -> wasmtime::Result<String> {
        Ok(postgate_address::canonical_domain(&domain))
    }
}
