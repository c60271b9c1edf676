//! Octets that are made of a content: in memory while they are few, then in an unlinked file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// Grows at its end, and is read anywhere.
#[derive(Debug, Default)]
pub struct Scratch {
    memory: Vec<u8>,
    file: Option<File>,
    len: u64,
    directory: Option<PathBuf>,
}

impl Scratch {
    pub(super) fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            ..Self::default()
        }
    }

    /// Adds octets at the end.
    ///
    /// # Errors
    ///
    /// Where the file cannot be made or written. Nothing was added then.
    pub fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            if self.memory.len() + octets.len() <= MEMORY {
                self.memory.extend_from_slice(octets);
                self.len += octets.len() as u64;
                return Ok(());
            }
            let file = match &self.directory {
                Some(directory) => tempfile::tempfile_in(directory)?,
                None => tempfile::tempfile()?,
            };
            file.write_all_at(&self.memory, 0)?;
            self.file = Some(file);
            self.memory = Vec::new();
        }
        if let Some(file) = &self.file {
            file.write_all_at(octets, self.len)?;
            self.len += octets.len() as u64;
        }
        Ok(())
    }

    /// Fills the buffer from `offset` on. Gives how many octets that were: fewer than fit only at
    /// the end.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        let buffer = &mut buffer[..count];
        match &self.file {
            None if count == 0 => {}
            // What is in memory is counted by a usize.
            None => buffer.copy_from_slice(&self.memory[offset as usize..][..count]),
            Some(file) => file.read_exact_at(buffer, offset)?,
        }
        Ok(count)
    }

    /// The number of octets.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no octet.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The most octets that are kept in memory.
const MEMORY: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_can_be_read_in_memory_and_in_a_file() {
        let mut scratch = Scratch::new(None);
        let mut expected = Vec::new();
        for piece in 0..40_u8 {
            let octets = [piece; MEMORY / 20];
            scratch.append(&octets).unwrap();
            expected.extend_from_slice(&octets);
            let offset = expected.len() / 2;
            let mut read = vec![0; expected.len()];
            let count = scratch.read_at(offset as u64, &mut read).unwrap();
            assert_eq!(&read[..count], &expected[offset..]);
        }
        assert!(scratch.file.is_some());
        assert_eq!(scratch.len(), expected.len() as u64);
        assert_eq!(scratch.read_at(u64::MAX, &mut [0; 4]).unwrap(), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let mut scratch = Scratch::new(Some("/nonexistent".into()));
        scratch.append(&[0; MEMORY]).unwrap();
        assert!(scratch.append(&[0; 1]).is_err());
        assert_eq!(scratch.len(), MEMORY as u64);
    }
}
