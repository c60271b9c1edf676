//! The writer for a message.

use std::collections::VecDeque;
use std::{iter, mem};

use crate::client::encode_error::EncodeError;
use crate::client::phase::Phase;
use crate::client::stage::{Protocol, Stage};

/// Writes a message after 354 or BDAT. Borrowed from the client between two steps.
#[derive(Debug)]
pub struct MessageWriter<'a> {
    pub(super) protocol: Protocol,
    pub(super) phase: &'a mut Phase,
    /// Requests that were sent and not answered.
    pub(super) pending: &'a mut VecDeque<Stage>,
    /// The number of accepted recipients.
    pub(super) recipients: &'a mut usize,
    /// True if the server has sent something already.
    pub(super) is_interrupted: bool,
    pub(super) output: &'a mut Vec<u8>,
}

impl MessageWriter<'_> {
    /// Adds the next octets of the message, which may be cut anywhere.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be sent unchanged. The connection can only be closed then.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), EncodeError> {
        match &mut *self.phase {
            Phase::Message(encoder) => encoder.encode(octets, self.output),
            _ => Ok(()),
        }
    }

    /// Ends the message. One reply follows, or over LMTP one for each accepted recipient. If the server
    /// has replied already, the message is not ended: that reply must not become its reply.
    ///
    /// # Errors
    ///
    /// Fails if the last line is not complete, or a [`Chunk`](crate::client::Chunk) does not have its
    /// announced size. The connection can only be closed then.
    pub fn finish(self) -> Result<(), EncodeError> {
        if self.is_interrupted {
            return Ok(());
        }
        let Phase::Message(encoder) = mem::replace(self.phase, Phase::Commands) else {
            return Ok(());
        };
        encoder.finish(self.output)?;
        let replies = match self.protocol {
            Protocol::Lmtp => mem::take(self.recipients),
            Protocol::Smtp => 1,
        };
        self.pending.extend(iter::repeat_n(Stage::Message, replies));
        Ok(())
    }
}
