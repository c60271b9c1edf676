//! Files of the operator that a guest may read.

use super::HostState;
use crate::plugin::bindings::host::files;
use crate::plugin::files::{FileError, find_line};

type Answer<T> = wasmtime::Result<Result<T, files::FileError>>;

impl files::Host for HostState {
    async fn size(&mut self, name: String) -> Answer<u32> {
        let content = self.plugin.files.content(&name).await;
        // No file is read that is larger than a u32 can say.
        let size = content.map(|content| u32::try_from(content.len()).unwrap_or(u32::MAX));
        Ok(size.map_err(file_error))
    }

    async fn read(&mut self, name: String, offset: u32, length: u32) -> Answer<Vec<u8>> {
        let content = self.plugin.files.content(&name).await;
        let part = content.map(|content| {
            let rest = content.get(offset as usize..).unwrap_or_default();
            let length = length.min(MAX_READ) as usize;
            rest[..length.min(rest.len())].to_vec()
        });
        Ok(part.map_err(file_error))
    }

    async fn find_line(&mut self, name: String, prefix: Vec<u8>) -> Answer<Option<Vec<u8>>> {
        let content = self.plugin.files.content(&name).await;
        let line = content.map(|content| find_line(&content, &prefix).map(<[u8]>::to_vec));
        Ok(line.map_err(file_error))
    }
}

const fn file_error(error: FileError) -> files::FileError {
    match error {
        FileError::NotListed => files::FileError::NotListed,
        FileError::Unreadable => files::FileError::Unreadable,
    }
}

/// The most octets of a file that one call carries.
const MAX_READ: u32 = 262_144;
