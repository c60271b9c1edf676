//! The MIME parts of a message, as plugins see them (RFC 2045).

use std::io;
use std::mem;

use mail_parser::{MessageParser, MimeHeaders, PartType};
use postgate_proto::header::HeaderBlock;
use tokio::sync::OwnedSemaphorePermit;

use crate::spool::Content;

/// All parts of a message, in the order in which they stand in it.
#[derive(Debug, Default)]
pub struct Mime {
    parts: Vec<Part>,
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

    /// Adds the parts of a message in the order in which they stand in the text. Messages within
    /// messages are taken out of one another on the way: neither walking them nor dropping them may
    /// recurse, or a deep enough message would use up the stack.
    fn add(&mut self, message: mail_parser::Message<'_>) {
        let mut messages = vec![(message, vec![(0, None)])];
        while let Some((message, waiting)) = messages.last_mut() {
            let Some((index, parent)) = waiting.pop() else {
                messages.pop();
                continue;
            };
            let Some(part) = message.parts.get_mut(index as usize) else {
                continue;
            };
            // A message of 4 GiB has fewer parts than a u32 counts.
            let place = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
            self.parts.push(Part::of(part, parent.unwrap_or(place)));
            match mem::replace(&mut part.body, PartType::Multipart(Vec::new())) {
                PartType::Multipart(children) => {
                    let children = children.into_iter().rev();
                    waiting.extend(children.map(|child| (child, Some(place))));
                }
                PartType::Message(inner) => messages.push((inner, vec![(0, Some(place))])),
                PartType::Text(_)
                | PartType::Html(_)
                | PartType::Binary(_)
                | PartType::InlineBinary(_) => {}
            }
        }
    }
}

/// The most parts that a message may have for its parts to be looked at.
pub(super) const MAX_PARTS: usize = 20_000;

fn contains_ignoring_case(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

impl Part {
    fn of(part: &mail_parser::MessagePart<'_>, parent: u32) -> Self {
        let content_type = part.content_type().map_or_else(
            || "text/plain".into(),
            |content_type| {
                let subtype = content_type.subtype().unwrap_or("plain");
                format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase()
            },
        );
        let container = matches!(part.body, PartType::Multipart(_) | PartType::Message(_));
        Self {
            parent,
            content_type,
            filename: part.attachment_name().map(Into::into),
            disposition: part
                .content_disposition()
                .map(|disposition| disposition.ctype().to_ascii_lowercase()),
            container,
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
            content: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &str, body: &str) -> Vec<Part> {
        let headers = HeaderBlock::parse(headers.as_bytes().to_vec());
        let body = Content::from(body.as_bytes().to_vec());
        let whole = Whole::read(&headers, &body).unwrap();
        let most = whole.most_parts();
        let mime = Mime::parse(whole, None);
        assert!(mime.parts().len() <= most + 1);
        mime.parts().to_vec()
    }

    #[test]
    fn a_message_without_mime_is_one_part() {
        let parts = parts("Subject: x\r\n\r\n", "body\r\n");
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].content_type, "text/plain");
        assert_eq!(parts[0].content, b"body\r\n");
    }

    #[test]
    fn nested_parts_come_in_the_order_of_the_text() {
        let headers = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n";
        let body = "--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
            --b\r\nContent-Type: text/plain\r\n\r\none\r\n\
            --b\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--b--\r\n\
            --a\r\nContent-Type: Application/X-Thing; name=\"x.exe\"\r\n\
            Content-Disposition: ATTACHMENT\r\nContent-Transfer-Encoding: base64\r\n\r\nTVo=\r\n\
            --a\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--a--\r\n";
        let parts = parts(headers, body);
        let seen: Vec<_> = parts
            .iter()
            .map(|part| (part.content_type.as_str(), part.parent, part.container))
            .collect();
        assert_eq!(
            seen,
            [
                ("multipart/mixed", 0, true),
                ("multipart/alternative", 0, true),
                ("text/plain", 1, false),
                ("text/html", 1, false),
                ("application/x-thing", 0, false),
                ("message/rfc822", 0, true),
                ("text/plain", 5, false),
            ]
        );
        assert_eq!(parts[4].filename.as_deref(), Some("x.exe"));
        assert_eq!(parts[4].disposition.as_deref(), Some("attachment"));
        assert_eq!(parts[4].content, b"MZ");
    }

    #[test]
    fn garbage_is_still_a_message() {
        for (headers, body) in [
            ("", ""),
            ("\r\n", "\0\u{1}"),
            ("Content-Type: multipart/mixed\r\n\r\n", "--\r\n--"),
            ("Content-Type: ;;;\r\n\r\n", "x"),
        ] {
            assert!(!parts(headers, body).is_empty());
        }
    }

    #[test]
    fn a_message_as_deep_as_it_is_long_does_not_use_up_the_stack() {
        let depth = 30_000;
        let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(depth);
        let small_stack = std::thread::Builder::new().stack_size(256 << 10);
        let count = small_stack
            .spawn(move || parts("", &nested).len())
            .unwrap()
            .join()
            .unwrap();
        assert!(count > 1);
    }
}
