//! What the parameters of MAIL allow in the rest of a transaction.

use std::io;

use postgate_proto::address::Charset;
use postgate_proto::client::{Chunk, ChunkMeter, Request};
use postgate_proto::envelope::Recipient;
use postgate_proto::parameters::{Body, MailParameters};

use crate::message::Message;

/// What was agreed with the server at MAIL.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransactionTerms {
    charset: Charset,
    content: ContentKind,
}

impl TransactionTerms {
    /// The terms after MAIL with these parameters.
    pub(super) fn of(parameters: &MailParameters) -> Self {
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

    /// True if RCPT can name this recipient.
    pub(super) fn permit(self, recipient: &Recipient) -> bool {
        self.permit_text(recipient.path.as_str())
    }

    /// The RCPT command for a recipient, without parameters that need another charset.
    pub(super) fn request(self, recipient: &Recipient) -> Request {
        let parameters = recipient.parameters.iter();
        let parameters = parameters.filter(|parameter| self.permit_text(&parameter.value));
        Request::Rcpt(recipient.path.clone(), parameters.cloned().collect())
    }

    /// The message as one chunk. Reads all of the message.
    pub(super) fn chunk(self, message: &Message<'_>) -> io::Result<Chunk> {
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

    fn permit_text(self, text: &str) -> bool {
        match self.charset {
            Charset::Ascii => text.is_ascii(),
            Charset::Utf8 => true,
        }
    }
}

/// The terms after MAIL without parameters.
impl Default for TransactionTerms {
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
