//! The MIME parts of a message, as plugins see them (RFC 2045).

mod version;

use std::io;
use std::mem;

use mail_parser::{MessageParser, MimeHeaders, PartType};
use postgate_proto::header::HeaderBlock;
use tokio::sync::OwnedSemaphorePermit;

pub use self::version::MimeVersion;
use crate::spool::Content;

/// All parts of a message, in the order in which they stand in it.
#[derive(Debug, Default)]
pub struct Mime {
    parts: Vec<Part>,
    plain: Option<u32>,
    html: Option<u32>,
    _memory: Option<OwnedSemaphorePermit>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The part that holds this one. The first names itself.
    pub parent: u32,
    /// Type and subtype in lower case.
    pub content_type: String,
    /// The decoded file name.
    pub filename: Option<String>,
    /// The disposition in lower case.
    pub disposition: Option<String>,
    /// Whether it holds other parts.
    pub container: bool,
    /// The parameters of Content-Type, names in lower case, decoded (RFC 2231).
    pub parameters: Vec<(String, String)>,
    /// Content-Transfer-Encoding in lower case; `7bit` where there is none.
    pub encoding: String,
    /// Content-ID without its angle brackets.
    pub content_id: Option<String>,
    /// Content-Description, decoded (RFC 2047).
    pub description: Option<String>,
    /// The header block, as it stands in the message.
    pub head: Vec<u8>,
    /// Whether the content is text, and therefore UTF-8, whatever its charset was.
    pub is_text: bool,
    /// The decoded content; nothing for a container.
    pub content: Vec<u8>,
}

/// A message as it is read for its parts, in one piece.
#[derive(Debug)]
pub struct Whole(Vec<u8>);

impl Whole {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// Where the body can not be read from its file.
    pub fn read(headers: &HeaderBlock, body: &Content) -> io::Result<Self> {
        let mut octets = Vec::new();
        headers.render(&mut octets);
        let mut chunks = body.chunks();
        while let Some(chunk) = chunks.next()? {
            octets.extend_from_slice(chunk);
        }
        Ok(Self(octets))
    }

    /// At most so many parts can be in it: each begins behind a line that starts with two hyphens,
    /// or behind the header of an attached message.
    pub fn most_parts(&self) -> usize {
        let lines = self.0.split(|octet| *octet == b'\n');
        lines
            .filter(|line| {
                let line = line.trim_ascii_start();
                line.starts_with(b"--") || contains_ignoring_case(line, b"message/")
            })
            .count()
    }
}

impl Mime {
    /// Finds the parts. Never fails for what stands in the message. Takes long for a large one, and
    /// holds `memory` for as long as it lives.
    pub fn parse(whole: Whole, memory: Option<OwnedSemaphorePermit>) -> Self {
        let mut mime = Self {
            parts: Vec::new(),
            plain: None,
            html: None,
            _memory: memory,
        };
        if let Some(message) = MessageParser::new().parse(&whole.0) {
            mime.add(message);
        }
        if mime.parts.is_empty() {
            mime.parts.push(Part::plain());
        }
        mime
    }

    /// All parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The part that a reader would be shown as plain text.
    pub const fn plain(&self) -> Option<u32> {
        self.plain
    }

    /// The part that a reader would be shown as HTML.
    pub const fn html(&self) -> Option<u32> {
        self.html
    }

    /// Adds the parts of a message in the order in which they stand in the text. Messages within
    /// messages are taken out of one another on the way: neither walking them nor dropping them may
    /// recurse, or a deep enough message would use up the stack.
    fn add(&mut self, message: mail_parser::Message<'_>) {
        let plain = first(&message, &message.text_body, |body| {
            matches!(body, PartType::Text(_))
        });
        let html = first(&message, &message.html_body, |body| {
            matches!(body, PartType::Html(_))
        });
        let mut messages = vec![(message, vec![(0, None)])];
        let mut depth = messages.len();
        while let Some((message, waiting)) = messages.last_mut() {
            let Some((index, parent)) = waiting.pop() else {
                messages.pop();
                depth = messages.len();
                continue;
            };
            let Some(part) = message.parts.get_mut(index as usize) else {
                continue;
            };
            // A message of 4 GiB has fewer parts than a u32 counts.
            let place = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
            if depth == 1 && Some(index) == plain {
                self.plain = Some(place);
            }
            if depth == 1 && Some(index) == html {
                self.html = Some(place);
            }
            let head = head_of(&message.raw_message, part);
            self.parts
                .push(Part::of(part, head, parent.unwrap_or(place)));
            match mem::replace(&mut part.body, PartType::Multipart(Vec::new())) {
                PartType::Multipart(children) => {
                    let children = children.into_iter().rev();
                    waiting.extend(children.map(|child| (child, Some(place))));
                }
                PartType::Message(inner) => {
                    messages.push((inner, vec![(0, Some(place))]));
                    depth = messages.len();
                }
                PartType::Text(_)
                | PartType::Html(_)
                | PartType::Binary(_)
                | PartType::InlineBinary(_) => {}
            }
        }
    }
}

/// The first of these parts whose body is of a kind.
fn first(
    message: &mail_parser::Message<'_>,
    shown: &[u32],
    is_meant: impl Fn(&PartType<'_>) -> bool,
) -> Option<u32> {
    let mut shown = shown.iter().copied();
    shown.find(|index| {
        let part = message.parts.get(*index as usize);
        part.is_some_and(|part| is_meant(&part.body))
    })
}

/// The octets of the header block of a part.
fn head_of(message: &[u8], part: &mail_parser::MessagePart<'_>) -> Vec<u8> {
    let head = message.get(part.offset_header as usize..part.offset_body as usize);
    head.unwrap_or_default().to_vec()
}

/// The most parts that a message may have for its parts to be looked at.
pub(super) const MAX_PARTS: usize = 20_000;

fn contains_ignoring_case(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

impl Part {
    fn of(part: &mail_parser::MessagePart<'_>, head: Vec<u8>, parent: u32) -> Self {
        let content_type = part.content_type().map_or_else(
            || "text/plain".into(),
            |content_type| {
                let subtype = content_type.subtype().unwrap_or("plain");
                format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase()
            },
        );
        let parameters = part.content_type().and_then(|ct| ct.attributes());
        let is_text = matches!(part.body, PartType::Text(_) | PartType::Html(_))
            && content_type.starts_with("text/");
        let container = matches!(part.body, PartType::Multipart(_) | PartType::Message(_));
        Self {
            parent,
            content_type,
            filename: part.attachment_name().map(Into::into),
            disposition: part
                .content_disposition()
                .map(|disposition| disposition.ctype().to_ascii_lowercase()),
            container,
            parameters: parameters
                .unwrap_or_default()
                .iter()
                .map(|attribute| {
                    (
                        attribute.name.to_ascii_lowercase(),
                        attribute.value.to_string(),
                    )
                })
                .collect(),
            encoding: match part.content_transfer_encoding().map(str::trim) {
                None | Some("") => SEVEN_BIT.into(),
                Some(encoding) => encoding.to_ascii_lowercase(),
            },
            content_id: part
                .content_id()
                .map(|id| id.trim_matches(['<', '>']).to_owned()),
            description: part.content_description().map(Into::into),
            head,
            is_text,
            content: match container {
                true => Vec::new(),
                false => part.contents().to_vec(),
            },
        }
    }

    fn plain() -> Self {
        Self {
            parent: 0,
            content_type: "text/plain".into(),
            filename: None,
            disposition: None,
            container: false,
            parameters: Vec::new(),
            encoding: SEVEN_BIT.into(),
            content_id: None,
            description: None,
            head: Vec::new(),
            is_text: true,
            content: Vec::new(),
        }
    }
}

/// What holds without a Content-Transfer-Encoding (RFC 2045 §6.1).
const SEVEN_BIT: &str = "7bit";

#[cfg(test)]
mod tests;
