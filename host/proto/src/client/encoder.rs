//! The encoding of a message for DATA or BDAT.

use crate::client::body::BodyEncoder;
use crate::client::chunk::{Chunk, WrongSize};

/// The encoding of a message.
#[derive(Debug)]
pub(super) enum Encoder {
    /// For BDAT.
    Chunk(Chunk),
    /// For DATA.
    Data(BodyEncoder),
}

impl Encoder {
    pub(super) fn encode(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Chunk(chunk) => chunk.encode(octets, out),
            Self::Data(encoder) => encoder.encode(octets, out),
        }
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) -> Result<(), WrongSize> {
        match self {
            Self::Chunk(chunk) => chunk.finish(out),
            Self::Data(encoder) => {
                encoder.finish(out);
                Ok(())
            }
        }
    }
}
