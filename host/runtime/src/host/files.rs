//! The interface `files`: files of the operator that the sidecar lists.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::HostError;
use super::state::HostState;
use crate::bindings::host::files;
use crate::files::{FileError, find_line};
use crate::meter::{Meter, OutOfTime};

type Answer<T> = wasmtime::Result<Result<T, files::FileError>>;

impl files::Host for HostState {
    async fn size(&mut self, name: String) -> Answer<u32> {
        // The limit on the size of a file is a u32, so the size always fits.
        let size = async |content: &[u8], _: &mut Meter| {
            Ok(u32::try_from(content.len()).unwrap_or(u32::MAX))
        };
        self.with_content("files.size", &name, || json!([name]), size)
            .await
    }

    async fn read(&mut self, name: String, offset: u32, length: u32) -> Answer<Vec<u8>> {
        let part = async |content: &[u8], _: &mut Meter| {
            let rest = content.get(offset as usize..).unwrap_or_default();
            let length = length.min(MAX_READ) as usize;
            Ok(rest[..length.min(rest.len())].to_vec())
        };
        let question = || json!([name, offset, length]);
        self.with_content("files.read", &name, question, part).await
    }

    async fn find_line(&mut self, name: String, prefix: Vec<u8>) -> Answer<Option<Vec<u8>>> {
        let line = async |content: &[u8], meter: &mut Meter| {
            let line = find_line(content, &prefix, meter).await?;
            Ok(line.map(<[u8]>::to_vec))
        };
        let question = || json!([name, prefix]);
        self.with_content("files.find-line", &name, question, line)
            .await
    }
}

impl HostState {
    /// The content of a file. Within a call it is that which the guest has seen first: what it reads in
    /// pieces is one file, and looking whether it has changed each time would cost more than the rest.
    async fn content(&self, name: &str) -> Result<Arc<[u8]>, FileError> {
        match self.files.get(name) {
            Some(content) => Ok(Arc::clone(content)),
            None => self.plugin.files.content(name).await,
        }
    }

    /// Applies a function to the content of a file. A recording contains its result, which may be secret;
    /// the operator chooses where recordings are stored.
    async fn with_content<T: Serialize + DeserializeOwned>(
        &mut self,
        call: &str,
        name: &str,
        question: impl FnOnce() -> Value,
        read: impl AsyncFnOnce(&[u8], &mut Meter) -> Result<T, OutOfTime>,
    ) -> Answer<T> {
        let (mut fault, mut seen) = (None, None);
        let ask = async {
            let mut meter = self.meter();
            let answer = match self.content(name).await {
                Ok(content) => {
                    seen = Some(Arc::clone(&content));
                    read_metered(&content, &mut meter, read).await
                }
                Err(FileError::Host) => Err(HostError::File.into()),
                Err(error) => return Err(error == FileError::NotListed),
            };
            answer.map_err(|error| {
                fault = Some(error);
                false
            })
        };
        let found = self
            .external_call(call, question, || Err(false), ask)
            .await?;
        if let Some(fault) = fault {
            return Err(fault);
        }
        if let Some(content) = seen
            && !self.files.contains_key(name)
        {
            self.files.insert(name.to_owned(), content);
        }
        Ok(found.map_err(|is_not_listed| match is_not_listed {
            true => files::FileError::NotListed,
            false => files::FileError::Unreadable,
        }))
    }
}

/// Applies a function to the content of a file, if looking at it has not taken too long.
async fn read_metered<T>(
    content: &[u8],
    meter: &mut Meter,
    read: impl AsyncFnOnce(&[u8], &mut Meter) -> Result<T, OutOfTime>,
) -> wasmtime::Result<T> {
    meter.look().await?;
    Ok(read(content, meter).await?)
}

/// The greatest number of octets that one call returns.
const MAX_READ: u32 = 262_144;
