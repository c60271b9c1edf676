//! The encoding of a message for DATA or BDAT.

use std::fmt;

use crate::client::body::{BodyEncoder, NotLines};
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

/// A message cannot be sent: the connection can only be closed, before the message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// It holds what lines cannot carry unchanged.
    Lines(NotLines),
    /// It does not have the size that was announced.
    Size(WrongSize),
}

impl From<NotLines> for EncodeError {
    fn from(error: NotLines) -> Self {
        Self::Lines(error)
    }
}

impl From<WrongSize> for EncodeError {
    fn from(error: WrongSize) -> Self {
        Self::Size(error)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines(error) => error.fmt(f),
            Self::Size(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EncodeError {}
