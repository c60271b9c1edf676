//! What a server was told of a transaction at MAIL, and what follows from it.

use std::io;

use postgate_proto::address::Charset;
use postgate_proto::client::{Chunk, ChunkMeter, Request};
use postgate_proto::envelope::Recipient;
use postgate_proto::parameters::{Body, MailParameters};

use crate::message::Message;

/// What holds for a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    charset: Charset,
    content: ContentKind,
}

impl Terms {
    /// The terms after MAIL with these parameters.
    pub(crate) fn of(parameters: &MailParameters) -> Self {
        Self {
            charset: match parameters.smtputf8 {
                true => Charset::Utf8,
                false => Charset::Ascii,
            },
            content: match parameters.body {
                Some(Body::BinaryMime) => ContentKind::Binary,
                Some(Body::EightBitMime | Body::SevenBit) | None => ContentKind::Lines,
            },
        }
    }

    /// Whether the recipient can be named.
    pub(crate) fn permit(self, recipient: &Recipient) -> bool {
        self.has(recipient.path.as_str())
    }

    /// The command that names a recipient, without what cannot be said in this transaction.
    pub(crate) fn request(self, recipient: &Recipient) -> Request {
        let parameters = recipient.parameters.iter();
        let parameters = parameters.filter(|parameter| self.has(&parameter.value));
        Request::Rcpt(recipient.path.clone(), parameters.cloned().collect())
    }

    /// The message as one chunk.
    pub(crate) fn chunk(self, message: &Message<'_>) -> io::Result<Chunk> {
        match self.content {
            // A slice is never longer than 2^63 octets.
            ContentKind::Binary => Ok(Chunk::binary(
                message.head.len() as u64 + message.body.len(),
            )),
            ContentKind::Lines => {
                let mut meter = ChunkMeter::new();
                meter.add(message.head);
                let mut chunks = message.body.chunks();
                while let Some(chunk) = chunks.next()? {
                    meter.add(chunk);
                }
                Ok(meter.finish())
            }
        }
    }

    fn has(self, text: &str) -> bool {
        match self.charset {
            Charset::Ascii => text.is_ascii(),
            Charset::Utf8 => true,
        }
    }
}

/// Those of MAIL without parameters.
impl Default for Terms {
    fn default() -> Self {
        Self {
            charset: Charset::Ascii,
            content: ContentKind::Lines,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum ContentKind {
    Binary,
    Lines,
}
