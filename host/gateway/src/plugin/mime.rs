//! The MIME parts of a message, as plugins see them (RFC 2045).

use std::collections::VecDeque;
use std::io;

use mail_parser::{MessageParser, MimeHeaders, PartType};
use postgate_proto::header::HeaderBlock;

use crate::spool::Content;

/// All parts of a message, in the order in which they stand in it.
#[derive(Debug, Default)]
pub struct Mime {
    parts: Vec<Part>,
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

impl Mime {
    /// Parses a message. Never fails for what stands in it.
    ///
    /// # Errors
    ///
    /// Where the body can not be read from its file.
    pub fn parse(headers: &HeaderBlock, body: &Content) -> io::Result<Self> {
        let mut octets = Vec::new();
        headers.render(&mut octets);
        let mut chunks = body.chunks();
        while let Some(chunk) = chunks.next()? {
            octets.extend_from_slice(chunk);
        }
        let mut mime = Self::default();
        if let Some(message) = MessageParser::new().parse(&octets) {
            mime.add_message(&message, None);
        }
        if mime.parts.is_empty() {
            mime.parts.push(Part::plain());
        }
        Ok(mime)
    }

    /// All parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Adds the parts of a message breadth by breadth of each container, which is the order in which
    /// they stand in the text, since a container lists its children in order.
    fn add_message(&mut self, message: &mail_parser::Message<'_>, parent: Option<u32>) {
        let mut waiting = VecDeque::from([(0_u32, parent)]);
        while let Some((index, parent)) = waiting.pop_front() {
            let Some(part) = message.parts.get(index as usize) else {
                continue;
            };
            // A message of 4 GiB has fewer parts than a u32 counts.
            let place = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
            self.parts.push(Part::of(part, parent.unwrap_or(place)));
            match &part.body {
                PartType::Multipart(children) => {
                    for child in children.iter().rev() {
                        waiting.push_front((*child, Some(place)));
                    }
                }
                PartType::Message(inner) => self.add_message(inner, Some(place)),
                PartType::Text(_)
                | PartType::Html(_)
                | PartType::Binary(_)
                | PartType::InlineBinary(_) => {}
            }
        }
    }
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
        Mime::parse(&headers, &body).unwrap().parts().to_vec()
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
}
