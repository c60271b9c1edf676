//! A message on its way out.

use super::{BodyEncoder, Chunk, Client, Phase, Protocol, Stage, WrongSize};

/// Takes the message after 354 or BDAT. To be dropped and asked for again between steps.
#[derive(Debug)]
pub struct MessageWriter<'a>(pub(super) &'a mut Client);

impl MessageWriter<'_> {
    /// Adds the next octets of the message, cut anywhere; the client encodes them.
    pub fn write(&mut self, octets: &[u8]) {
        if let Phase::Message(encoder) = &mut self.0.phase {
            encoder.encode(octets, &mut self.0.output);
        }
    }

    /// Ends the message. One reply follows, or over LMTP one for each accepted recipient. After an
    /// error, which only a [`Chunk`] can have, the connection is only good for closing.
    pub fn finish(self) -> Result<(), WrongSize> {
        let Phase::Message(encoder) = std::mem::replace(&mut self.0.phase, Phase::Commands) else {
            return Ok(());
        };
        encoder.finish(&mut self.0.output)?;
        let replies = match self.0.protocol {
            Protocol::Lmtp => std::mem::take(&mut self.0.recipients),
            Protocol::Smtp => 1,
        };
        self.0
            .pending
            .extend(std::iter::repeat_n(Stage::Message, replies));
        Ok(())
    }
}

/// How the message is marked off from what follows it.
#[derive(Debug)]
pub(super) enum Encoder {
    /// By its size: BDAT.
    Chunk(Chunk),
    /// By a dot on a line of its own: DATA.
    Data(BodyEncoder),
}

impl Encoder {
    fn encode(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Chunk(chunk) => chunk.encode(octets, out),
            Self::Data(encoder) => encoder.encode(octets, out),
        }
    }

    fn finish(self, out: &mut Vec<u8>) -> Result<(), WrongSize> {
        match self {
            Self::Chunk(chunk) => chunk.finish(out),
            Self::Data(encoder) => {
                encoder.finish(out);
                Ok(())
            }
        }
    }
}
