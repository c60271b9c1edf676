//! Where the octets of a message come from, and where decoded content goes.

use std::fmt;
use std::io;

/// Octets that can be read at any offset, for example the body of a message.
pub trait Source: fmt::Debug + Send + Sync {
    /// The number of octets.
    fn len(&self) -> u64;

    /// True if there are no octets.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset` on and returns the number of octets read, which is less than
    /// the size of the buffer only at the end of the source.
    ///
    /// # Errors
    ///
    /// Fails if the octets cannot be read, for example from a file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Space for decoded content: it grows at its end and can be read at any offset.
pub trait Scratch: Source {
    /// Appends octets.
    ///
    /// # Errors
    ///
    /// Fails if the octets cannot be stored. Nothing is appended then.
    fn append(&mut self, octets: &[u8]) -> io::Result<()>;
}

impl Source for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.get(start..).unwrap_or_default();
        let count = buffer.len().min(rest.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Scratch for Vec<u8> {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.extend_from_slice(octets);
        Ok(())
    }
}

/// The number of octets that are read at a time.
pub(super) const PIECE: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_end_with_the_source() {
        let source = b"0123456789".to_vec();
        let table: [(u64, usize, &[u8]); 5] = [
            (0, 20, b"0123456789"),
            (8, 5, b"89"),
            (3, 0, b""),
            (10, 5, b""),
            (u64::MAX, 5, b""),
        ];
        for (offset, length, expected) in table {
            let mut buffer = vec![0; length];
            let count = source.read_at(offset, &mut buffer).unwrap();
            assert_eq!(&buffer[..count], expected, "offset {offset}");
        }
    }
}
