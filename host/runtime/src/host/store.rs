//! The interface `store`: keys and values of a plugin in a session.

use super::state::HostState;
use crate::bindings::host::store;
use crate::store::Full;

impl store::Host for HostState {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        let stores = &self.context()?.stores;
        Ok(stores.of(&self.plugin.name, |values| values.get(&key)))
    }

    fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::StoreError>> {
        let stores = &self.context()?.stores;
        let set = stores.of(&self.plugin.name, |values| values.set(key, value));
        Ok(set.map_err(|Full| store::StoreError::Full))
    }

    fn remove(&mut self, key: String) -> wasmtime::Result<()> {
        let stores = &self.context()?.stores;
        stores.of(&self.plugin.name, |values| values.remove(&key));
        Ok(())
    }
}
