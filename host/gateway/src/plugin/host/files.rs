//! Files of the operator that a guest may read.

use super::HostState;
use crate::plugin::bindings::host::files;

type Answer<T> = wasmtime::Result<Result<T, files::FileError>>;

/// No sidecar can list a file yet.
impl files::Host for HostState {
    async fn size(&mut self, _name: String) -> Answer<u32> {
        Ok(Err(files::FileError::NotListed))
    }

    async fn read(&mut self, _name: String, _offset: u32, _length: u32) -> Answer<Vec<u8>> {
        Ok(Err(files::FileError::NotListed))
    }

    async fn find_line(&mut self, _name: String, _prefix: Vec<u8>) -> Answer<Option<Vec<u8>>> {
        Ok(Err(files::FileError::NotListed))
    }
}
