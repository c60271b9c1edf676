//! Data derived from a message: in memory up to a threshold, then in an unlinked temporary file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use super::directory;

/// Scratch space that grows at its end and can be read at any offset.
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

    /// Appends octets.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be created or written. Nothing is appended then.
    pub fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            if self.memory.len() + octets.len() <= MEMORY {
                self.memory.extend_from_slice(octets);
                self.len += octets.len() as u64;
                return Ok(());
            }
            let file = directory::new_file(self.directory.as_deref())?;
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

    /// Fills `buffer` from `offset` on and returns the number of octets read, which is less than
    /// the size of the buffer only at the end.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        let buffer = &mut buffer[..count];
        match &self.file {
            None if count == 0 => {}
            // The offset fits into a usize, since the octets are in memory.
            None => buffer.copy_from_slice(&self.memory[offset as usize..][..count]),
            Some(file) => file.read_exact_at(buffer, offset)?,
        }
        Ok(count)
    }

    /// The number of octets.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// True if there are no octets.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The most octets in memory.
const MEMORY: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_appended_in_memory_and_in_a_file() {
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
    fn a_missing_directory_is_an_error() {
        let mut scratch = Scratch::new(Some("/nonexistent".into()));
        scratch.append(&[0; MEMORY]).unwrap();
        assert!(scratch.append(&[0; 1]).is_err());
        assert_eq!(scratch.len(), MEMORY as u64);
    }
}
