//! Where the octets of a message wait: in memory while they are few, then in an unlinked file.
//!
//! Files are written and read from async tasks without handing over to another thread. The octets
//! go to the page cache in chunks of at most 64 KiB, which takes microseconds, less than the
//! hand-over would.

mod scratch;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use postgate_proto::reply::{Enhanced, Refusal};

pub use self::scratch::Scratch;

/// How a spool keeps its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// The most octets that are kept in memory.
    pub memory: usize,
    /// The most octets that are taken at all.
    pub limit: u64,
    /// Where files are made; the system's directory for temporary files where there is none.
    pub directory: Option<PathBuf>,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self {
            memory: 1024 * 1024,
            limit: 25 * 1024 * 1024,
            directory: None,
        }
    }
}

/// Collects the octets of one message after the other.
#[derive(Debug)]
pub struct Spool {
    settings: Arc<SpoolSettings>,
    place: Place,
    len: u64,
}

impl Spool {
    /// An empty spool.
    pub const fn new(settings: Arc<SpoolSettings>) -> Self {
        Self {
            settings,
            place: Place::Memory(Vec::new()),
            len: 0,
        }
    }

    /// Adds octets. After an error the message is incomplete, and must not be used.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), SpoolError> {
        // A slice is never longer than 2^63 octets.
        let len = self.len + octets.len() as u64;
        if len > self.settings.limit {
            return Err(SpoolError::TooLarge);
        }
        if let Place::Memory(buffer) = &self.place
            && buffer.len() + octets.len() > self.settings.memory
        {
            self.place = Place::File(self.spill(buffer)?);
        }
        match &mut self.place {
            Place::Memory(buffer) => buffer.extend_from_slice(octets),
            Place::File(file) => file.write_all(octets)?,
        }
        self.len = len;
        Ok(())
    }

    /// Gives what was written, and starts anew.
    pub fn finish(&mut self) -> Result<Content, SpoolError> {
        let len = std::mem::take(&mut self.len);
        let place = std::mem::replace(&mut self.place, Place::Memory(Vec::new()));
        let kept = match place {
            Place::Memory(buffer) => Kept::Memory(buffer),
            Place::File(file) => Kept::File {
                file: file.into_inner().map_err(|error| error.into_error())?,
                len,
            },
        };
        Ok(Content {
            kept: Arc::new(kept),
            settings: Some(Arc::clone(&self.settings)),
        })
    }

    /// Forgets what was written. The memory stays for the next message.
    pub fn clear(&mut self) {
        self.len = 0;
        match &mut self.place {
            Place::Memory(buffer) => buffer.clear(),
            Place::File(_) => self.place = Place::Memory(Vec::new()),
        }
    }

    /// Takes back the memory of a content that nobody else holds, for the next message.
    pub fn recycle(&mut self, content: Content) {
        let Ok(Kept::Memory(mut buffer)) = Arc::try_unwrap(content.kept) else {
            return;
        };
        if let Place::Memory(current) = &mut self.place
            && current.capacity() == 0
        {
            buffer.clear();
            *current = buffer;
        }
    }

    /// The number of octets written.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn spill(&self, buffer: &[u8]) -> io::Result<BufWriter<File>> {
        let file = match &self.settings.directory {
            Some(directory) => tempfile::tempfile_in(directory)?,
            None => tempfile::tempfile()?,
        };
        let mut file = BufWriter::with_capacity(FILE_BUFFER, file);
        file.write_all(buffer)?;
        Ok(file)
    }
}

/// The octets of a message that is complete. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Content {
    kept: Arc<Kept>,
    /// Those of the spool that it comes from.
    settings: Option<Arc<SpoolSettings>>,
}

impl Content {
    /// The number of octets.
    pub fn len(&self) -> u64 {
        match &*self.kept {
            Kept::Memory(buffer) => buffer.len() as u64,
            Kept::File { len, .. } => *len,
        }
    }

    /// Whether there is no octet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All octets, where they are in memory.
    pub fn as_slice(&self) -> Option<&[u8]> {
        match &*self.kept {
            Kept::Memory(buffer) => Some(buffer),
            Kept::File { .. } => None,
        }
    }

    /// Fills the buffer from `offset` on. Gives how many octets that were: fewer than fit only at
    /// the end of the content.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &*self.kept {
            Kept::Memory(octets) => {
                let start = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(octets.len());
                let count = buffer.len().min(octets.len() - start);
                buffer[..count].copy_from_slice(&octets[start..start + count]);
                Ok(count)
            }
            Kept::File { file, len } => {
                let left = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
                let count = buffer.len().min(left);
                file.read_exact_at(&mut buffer[..count], offset)?;
                Ok(count)
            }
        }
    }

    /// Other octets in its place.
    #[must_use]
    pub fn replaced(&self, octets: Vec<u8>) -> Self {
        Self {
            kept: Arc::new(Kept::Memory(octets)),
            settings: self.settings.clone(),
        }
    }

    /// Room for what is made of it, where it is kept itself.
    pub fn scratch(&self) -> Scratch {
        let settings = self.settings.as_ref();
        Scratch::new(settings.and_then(|settings| settings.directory.clone()))
    }

    /// All octets in order, in pieces of at most 64 KiB.
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
            kept: Arc::new(Kept::Memory(octets)),
            settings: None,
        }
    }
}

/// The octets of a content, piece by piece.
#[derive(Debug)]
pub struct Chunks<'a> {
    content: &'a Content,
    buffer: Vec<u8>,
    offset: u64,
}

impl Chunks<'_> {
    /// The next piece; nothing at the end.
    #[expect(
        clippy::should_implement_trait,
        reason = "a piece is borrowed from the buffer"
    )]
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let chunk = match &*self.content.kept {
            Kept::Memory(octets) => {
                // Octets in memory can be counted by a usize.
                let rest = &octets[self.offset as usize..];
                &rest[..rest.len().min(CHUNK)]
            }
            Kept::File { .. } => {
                self.buffer.resize(CHUNK, 0);
                let count = self.content.read_at(self.offset, &mut self.buffer)?;
                &self.buffer[..count]
            }
        };
        self.offset += chunk.len() as u64;
        Ok((!chunk.is_empty()).then_some(chunk))
    }
}

/// Why a message cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// There is no room left where files are made.
    #[error("no room for the message")]
    Full(#[source] io::Error),
    /// The file cannot be made, written or read.
    #[error("the message cannot be kept")]
    Io(#[source] io::Error),
    /// The message exceeds the limit; that is the client's fault.
    #[error("the message is too large")]
    TooLarge,
}

impl SpoolError {
    /// What the client is told.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::Full(_) => NO_ROOM,
            Self::Io(_) => Refusal::TRY_LATER,
            Self::TooLarge => TOO_LARGE,
        }
    }
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        match is_full(&error) {
            true => Self::Full(error),
            false => Self::Io(error),
        }
    }
}

/// Whether an error says that there is no room left.
pub fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull)
}

/// There is no room left for a message (RFC 3463 §3.4).
pub const NO_ROOM: Refusal =
    Refusal::fixed(452, Enhanced::new(4, 3, 1), "Insufficient system storage");

/// The message is larger than this server takes (RFC 1870 §6.3).
const TOO_LARGE: Refusal = Refusal::fixed(
    552,
    Enhanced::new(5, 3, 4),
    "Message size exceeds fixed limit",
);

/// Octets from the socket come in pieces of any size: a file is written in larger ones.
const FILE_BUFFER: usize = 64 * 1024;
/// The largest piece of a content that is handed out at once.
const CHUNK: usize = 64 * 1024;

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    File(BufWriter<File>),
}

#[derive(Debug)]
enum Kept {
    Memory(Vec<u8>),
    File { file: File, len: u64 },
}

#[cfg(test)]
mod tests;
