//! What the parameters of MAIL allow in the rest of a transaction.

use std::fmt::Write as _;
use std::io;

use postgate_proto::address::Charset;
use postgate_proto::client::{Chunk, Request};
use postgate_proto::envelope::Recipient;
use postgate_proto::parameters::{Body, MailParameters, Parameter};
use postgate_proto::reply::Refusal;

use super::need::{is_lines, needs_utf8};
use crate::error::{NEEDS_UTF8, NO_CONVERSION};
use crate::message::Message;

/// What was agreed with the server at MAIL.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransactionTerms {
    charset: Charset,
    content: ContentKind,
    /// True if the client has asked for SMTPUTF8, and the server does not offer it.
    lacks_utf8: bool,
    /// True if the client has asked for BINARYMIME, and the server does not offer it.
    lacks_binary: bool,
}

impl TransactionTerms {
    /// The terms after MAIL with these parameters, where the client has asked for others.
    pub(super) fn of(parameters: &MailParameters, asked: &MailParameters) -> Self {
        let binary = Some(Body::BinaryMime);
        Self {
            lacks_utf8: asked.smtputf8 && !parameters.smtputf8,
            lacks_binary: asked.body == binary && parameters.body != binary,
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

    /// Why the message cannot be handed over on these terms: it needs what the server does not offer.
    /// Returns `None` if it can.
    ///
    /// # Errors
    ///
    /// Fails if the message cannot be read.
    pub(super) async fn unmet(self, message: &Message<'_>) -> io::Result<Option<Refusal>> {
        if self.lacks_utf8 && needs_utf8(message).await? {
            return Ok(Some(NEEDS_UTF8));
        }
        if self.lacks_binary && !is_lines(message)? {
            return Ok(Some(NO_CONVERSION));
        }
        Ok(None)
    }

    /// The RCPT command for a recipient. Without SMTPUTF8, an original recipient is written in ASCII.
    pub(super) fn request(self, recipient: &Recipient) -> Request {
        let parameters = recipient.parameters.iter().map(|parameter| Parameter {
            name: parameter.name.clone(),
            value: match self.permit_text(&parameter.value) {
                true => parameter.value.clone(),
                false => in_ascii(&parameter.value).into(),
            },
        });
        Request::Rcpt(recipient.path.clone(), parameters.collect())
    }

    /// The message as one chunk.
    pub(super) fn chunk(self, message: &Message<'_>) -> Chunk {
        // A slice is never longer than 2^63 octets.
        let size = message.head.len() as u64 + message.body.len();
        match self.content {
            ContentKind::Binary => Chunk::binary(size),
            ContentKind::Lines => Chunk::lines(size),
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
            lacks_utf8: false,
            lacks_binary: false,
        }
    }
}

/// Writes an address of the type `utf-8` in ASCII: `utf-8-addr-unitext` with characters as `\x{…}` (RFC
/// 6533 §3). No other parameter of RCPT can have a value that is not ASCII.
fn in_ascii(value: &str) -> String {
    let mut text = String::with_capacity(2 * value.len());
    for character in value.chars() {
        match character.is_ascii() {
            true => text.push(character),
            // A string can always be written to.
            false => _ = write!(text, "\\x{{{:X}}}", u32::from(character)),
        }
    }
    text
}

#[derive(Clone, Copy, Debug)]
enum ContentKind {
    Binary,
    Lines,
}
