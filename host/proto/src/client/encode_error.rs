//! Why a message cannot be sent.

use std::fmt;

use crate::client::body::NotLines;

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

/// A message does not have the announced size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongSize;

impl fmt::Display for WrongSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message has not the size that was announced")
    }
}

impl std::error::Error for WrongSize {}
