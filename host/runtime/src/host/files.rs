//! The interface `files`: files of the operator that the sidecar lists.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::HostError;
use super::state::HostState;
use crate::bindings::host::files;
use crate::files::{FileError, find_line};

type Answer<T> = wasmtime::Result<Result<T, files::FileError>>;

impl files::Host for HostState {
    async fn size(&mut self, name: String) -> Answer<u32> {
        // The limit on the size of a file is a u32, so the size always fits.
        let size = |content: &[u8]| u32::try_from(content.len()).unwrap_or(u32::MAX);
        self.with_content("files.size", &name, || json!([name]), size)
            .await
    }

    async fn read(&mut self, name: String, offset: u32, length: u32) -> Answer<Vec<u8>> {
        let part = |content: &[u8]| {
            let rest = content.get(offset as usize..).unwrap_or_default();
            let length = length.min(MAX_READ) as usize;
            rest[..length.min(rest.len())].to_vec()
        };
        let question = || json!([name, offset, length]);
        self.with_content("files.read", &name, question, part).await
    }

    async fn find_line(&mut self, name: String, prefix: Vec<u8>) -> Answer<Option<Vec<u8>>> {
        let line = |content: &[u8]| find_line(content, &prefix).map(<[u8]>::to_vec);
        let question = || json!([name, prefix]);
        self.with_content("files.find-line", &name, question, line)
            .await
    }
}

impl HostState {
    /// Applies a function to the content of a file. A recording contains its result, which may be secret;
    /// the operator chooses where recordings are stored.
    async fn with_content<T: Serialize + DeserializeOwned>(
        &self,
        call: &str,
        name: &str,
        question: impl FnOnce() -> Value,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Answer<T> {
        let mut is_of_host = false;
        let ask = async {
            let content = self.plugin.files.content(name).await;
            is_of_host = matches!(content, Err(FileError::Host));
            content
                .map(|content| read(&content))
                .map_err(|error| error == FileError::NotListed)
        };
        let found = self
            .external_call(call, question, || Err(false), ask)
            .await?;
        if is_of_host {
            return Err(HostError::File.into());
        }
        Ok(found.map_err(|is_not_listed| match is_not_listed {
            true => files::FileError::NotListed,
            false => files::FileError::Unreadable,
        }))
    }
}

/// The greatest number of octets that one call returns.
const MAX_READ: u32 = 262_144;
