//! The encoding of a message for DATA or BDAT.

use crate::client::body::BodyEncoder;
use crate::client::chunk::Chunk;
use crate::client::encode_error::EncodeError;

/// The encoding of a message.
#[derive(Debug)]
pub(super) enum Encoder {
    /// For BDAT.
    Chunk(Chunk),
    /// For DATA.
    Data(BodyEncoder),
}

impl Encoder {
    pub(super) fn encode(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Chunk(chunk) => chunk.encode(octets, out),
            Self::Data(encoder) => Ok(encoder.encode(octets, out)?),
        }
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Chunk(chunk) => chunk.finish(),
            Self::Data(encoder) => Ok(encoder.finish(out)?),
        }
    }
}
