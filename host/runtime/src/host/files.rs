//! Files of the operator that a guest may read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::HostState;
use crate::bindings::host::files;
use crate::files::{FileError, find_line};

type Answer<T> = wasmtime::Result<Result<T, files::FileError>>;

impl files::Host for HostState {
    async fn size(&mut self, name: String) -> Answer<u32> {
        let size = |content: &[u8]| u32::try_from(content.len()).unwrap_or(u32::MAX);
        // No file is read that is larger than a u32 can say.
        self.look_into("files.size", &name, || json!([name]), size)
            .await
    }

    async fn read(&mut self, name: String, offset: u32, length: u32) -> Answer<Vec<u8>> {
        let part = |content: &[u8]| {
            let rest = content.get(offset as usize..).unwrap_or_default();
            let length = length.min(MAX_READ) as usize;
            rest[..length.min(rest.len())].to_vec()
        };
        let question = || json!([name, offset, length]);
        self.look_into("files.read", &name, question, part).await
    }

    async fn find_line(&mut self, name: String, prefix: Vec<u8>) -> Answer<Option<Vec<u8>>> {
        let line = |content: &[u8]| find_line(content, &prefix).map(<[u8]>::to_vec);
        let question = || json!([name, prefix]);
        self.look_into("files.find-line", &name, question, line)
            .await
    }
}

impl HostState {
    /// What a recording keeps of a file may be secret: it is kept where the operator says.
    async fn look_into<T: Serialize + DeserializeOwned>(
        &self,
        call: &str,
        name: &str,
        question: impl FnOnce() -> Value,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Answer<T> {
        let ask = async {
            let content = self.plugin.files.content(name).await;
            content
                .map(|content| look(&content))
                .map_err(|error| error == FileError::NotListed)
        };
        let found = self.outside(call, question, || Err(false), ask).await?;
        Ok(found.map_err(|is_not_listed| match is_not_listed {
            true => files::FileError::NotListed,
            false => files::FileError::Unreadable,
        }))
    }
}

/// The most octets of a file that one call carries.
const MAX_READ: u32 = 262_144;
