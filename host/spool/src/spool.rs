//! Collects the octets of a message while they arrive.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::mem;
use std::sync::Arc;

use super::content::{Content, Storage};
use super::directory;
use super::error::SpoolError;
use super::settings::SpoolSettings;

/// Collects the octets of a message, and of the next one after [`Self::finish`].
#[derive(Debug)]
pub struct Spool {
    settings: Arc<SpoolSettings>,
    buffer: Buffer,
    len: u64,
}

impl Spool {
    /// An empty spool.
    pub const fn new(settings: Arc<SpoolSettings>) -> Self {
        Self {
            settings,
            buffer: Buffer::Memory(Vec::new()),
            len: 0,
        }
    }

    /// Appends octets. After an error the message is incomplete and must not be used.
    ///
    /// # Errors
    ///
    /// Fails if the message exceeds the limit, or the file cannot be created or written.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), SpoolError> {
        // Cannot overflow: a slice has at most 2^63 octets.
        let len = self.len + octets.len() as u64;
        if len > self.settings.limit {
            return Err(SpoolError::TooLarge);
        }
        if let Buffer::Memory(buffer) = &self.buffer
            && buffer.len() + octets.len() > self.settings.memory
        {
            self.buffer = Buffer::File(self.spill(buffer)?);
        }
        match &mut self.buffer {
            Buffer::Memory(buffer) => buffer.extend_from_slice(octets),
            Buffer::File(file) => file.write_all(octets)?,
        }
        self.len = len;
        Ok(())
    }

    /// Returns the message and begins the next one.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn finish(&mut self) -> Result<Content, SpoolError> {
        let len = mem::take(&mut self.len);
        let buffer = mem::replace(&mut self.buffer, Buffer::Memory(Vec::new()));
        let storage = match buffer {
            Buffer::Memory(buffer) => Storage::Memory(buffer),
            Buffer::File(file) => Storage::File {
                file: file.into_inner().map_err(|error| error.into_error())?,
                len,
            },
        };
        Ok(Content::of_spool(storage, Arc::clone(&self.settings)))
    }

    /// Discards the message. Its memory is reused for the next one.
    pub fn clear(&mut self) {
        self.len = 0;
        match &mut self.buffer {
            Buffer::Memory(buffer) => buffer.clear(),
            Buffer::File(_) => self.buffer = Buffer::Memory(Vec::new()),
        }
    }

    /// Reuses the memory of a content for the next message, unless it has other owners.
    pub fn recycle(&mut self, content: Content) {
        let Some(mut octets) = content.into_memory() else {
            return;
        };
        if let Buffer::Memory(current) = &mut self.buffer
            && current.capacity() == 0
        {
            octets.clear();
            *current = octets;
        }
    }

    /// The number of octets written.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// True if no octets were written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn spill(&self, buffer: &[u8]) -> io::Result<BufWriter<File>> {
        let file = directory::new_file(self.settings.directory.as_deref())?;
        let mut file = BufWriter::with_capacity(FILE_BUFFER, file);
        file.write_all(buffer)?;
        Ok(file)
    }
}

#[derive(Debug)]
enum Buffer {
    Memory(Vec<u8>),
    File(BufWriter<File>),
}

/// Octets from the socket come in pieces of any size; fewer, larger writes are cheaper.
const FILE_BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests;
