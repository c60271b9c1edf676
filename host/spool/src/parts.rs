//! Connects the MIME parser with messages in the spool.

use std::io;

use postgate_mime::{Mime, Source};
use postgate_proto::header::HeaderBlock;

use crate::content::Content;
use crate::scratch::Scratch;

/// Parses a message in the spool into its MIME parts. `check` is called before each piece of the message or of
/// decoded content that is read, now and later. If it fails, so does the reading.
///
/// # Errors
///
/// Fails if the message cannot be read from its file, or if decoded content cannot be written.
pub fn find_parts(headers: &HeaderBlock, body: Content, check: Check) -> io::Result<Mime> {
    let scratch = SpoolScratch(body.scratch(), check);
    Mime::find(headers, SpoolContent(body, check), scratch)
}

/// Decides whether reading goes on.
pub type Check = fn() -> io::Result<()>;

/// The body of a message, as the parser reads it.
#[derive(Debug)]
struct SpoolContent(Content, Check);

impl Source for SpoolContent {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (self.1)()?;
        self.0.read_at(offset, buffer)
    }
}

/// Temporary storage in the spool, as the parser uses it for decoded content.
#[derive(Debug)]
struct SpoolScratch(Scratch, Check);

impl Source for SpoolScratch {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (self.1)()?;
        self.0.read_at(offset, buffer)
    }
}

impl postgate_mime::Scratch for SpoolScratch {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.append(octets)
    }
}
