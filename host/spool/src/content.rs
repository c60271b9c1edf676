//! The octets of a complete message.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::scratch::Scratch;
use super::settings::SpoolSettings;

/// The octets of a complete message. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Content {
    storage: Arc<Storage>,
    /// The settings of the spool that received the message.
    settings: Option<Arc<SpoolSettings>>,
}

impl Content {
    pub(super) fn of_spool(storage: Storage, settings: Arc<SpoolSettings>) -> Self {
        Self {
            storage: Arc::new(storage),
            settings: Some(settings),
        }
    }

    /// The octets in memory. Returns `None` if they are in a file or have other owners.
    pub(super) fn into_memory(self) -> Option<Vec<u8>> {
        match Arc::try_unwrap(self.storage) {
            Ok(Storage::Memory(octets)) => Some(octets),
            Ok(Storage::File { .. }) | Err(_) => None,
        }
    }

    /// The number of octets.
    pub fn len(&self) -> u64 {
        match &*self.storage {
            Storage::Memory(buffer) => buffer.len() as u64,
            Storage::File { len, .. } => *len,
        }
    }

    /// True if there are no octets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All octets. Returns `None` if they are in a file.
    pub fn as_slice(&self) -> Option<&[u8]> {
        match &*self.storage {
            Storage::Memory(buffer) => Some(buffer),
            Storage::File { .. } => None,
        }
    }

    /// Fills `buffer` from `offset` on and returns the number of octets read, which is less than
    /// the size of the buffer only at the end of the content.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &*self.storage {
            Storage::Memory(octets) => {
                let start = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(octets.len());
                let count = buffer.len().min(octets.len() - start);
                buffer[..count].copy_from_slice(&octets[start..start + count]);
                Ok(count)
            }
            Storage::File { file, len } => {
                let left = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
                let count = buffer.len().min(left);
                file.read_exact_at(&mut buffer[..count], offset)?;
                Ok(count)
            }
        }
    }

    /// A content of other octets, with the same directory for files.
    #[must_use]
    pub fn replaced(&self, octets: Vec<u8>) -> Self {
        Self {
            storage: Arc::new(Storage::Memory(octets)),
            settings: self.settings.clone(),
        }
    }

    /// Scratch space for data derived from the content, with the same directory for files.
    pub fn scratch(&self) -> Scratch {
        let settings = self.settings.as_ref();
        Scratch::new(settings.and_then(|settings| settings.directory.clone()))
    }

    /// All octets in order, in chunks of at most 64 KiB.
    pub fn chunks(&self) -> Chunks<'_> {
        Chunks {
            content: self,
            buffer: Vec::new(),
            offset: 0,
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl From<Vec<u8>> for Content {
    fn from(octets: Vec<u8>) -> Self {
        Self {
            storage: Arc::new(Storage::Memory(octets)),
            settings: None,
        }
    }
}

/// The octets of a content, chunk by chunk.
#[derive(Debug)]
pub struct Chunks<'a> {
    content: &'a Content,
    buffer: Vec<u8>,
    offset: u64,
}

impl Chunks<'_> {
    /// The next chunk. Returns `None` at the end.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "a chunk is borrowed from the buffer"
    )]
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let chunk = match &*self.content.storage {
            Storage::Memory(octets) => {
                // Fits into a usize, since the octets are in memory.
                let rest = &octets[self.offset as usize..];
                &rest[..rest.len().min(CHUNK)]
            }
            Storage::File { .. } => {
                self.buffer.resize(CHUNK, 0);
                let count = self.content.read_at(self.offset, &mut self.buffer)?;
                &self.buffer[..count]
            }
        };
        self.offset += chunk.len() as u64;
        Ok((!chunk.is_empty()).then_some(chunk))
    }
}

#[derive(Debug)]
pub(super) enum Storage {
    Memory(Vec<u8>),
    File { file: File, len: u64 },
}

/// The size of the largest chunk, in octets.
pub(super) const CHUNK: usize = 64 * 1024;
