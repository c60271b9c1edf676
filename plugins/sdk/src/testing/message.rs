//! A message that a test defines.

use super::WORLD;
use crate::bindings::imports::postgate::plugin::types::Pair;
use crate::message;

/// A message: header fields, a body, and its MIME parts.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Message {
    pub(super) headers: Vec<message::Header>,
    pub(super) body: Vec<u8>,
    pub(super) parts: Vec<Part>,
}

impl Message {
    /// A message without header fields and without a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses a message in its wire format, with lines that end in CRLF. If no [`part`](Self::part)
    /// is added, the body is one part of plain text.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let (block, body) = match end {
            Some(end) => (&bytes[..end + 2], &bytes[end + 4..]),
            None => (bytes, [].as_slice()),
        };
        let mut message = Self::new().body(body);
        for line in block.split_inclusive(|&byte| byte == b'\n') {
            message.take_line(line);
        }
        for header in &mut message.headers {
            header.value.truncate(header.value.trim_ascii_end().len());
        }
        message
    }

    /// Adds a header field below the others.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(message::Header {
            name: name.into(),
            value: [b" ", value.as_ref()].concat(),
        });
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Adds a MIME part below the message itself.
    pub fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// Installs this as the message of the current thread.
    pub fn install(mut self) {
        let root = match self.parts.len() {
            0 => Part::new("text/plain").content(&self.body),
            _ => Part::new("multipart/mixed").container(),
        };
        self.parts.insert(0, root);
        WORLD.with_borrow_mut(|world| world.message = self);
    }

    /// Adds a line of the header block: the start of a field, or the next line of a folded one.
    fn take_line(&mut self, line: &[u8]) {
        if let (b' ' | b'\t', Some(header)) = (line[0], self.headers.last_mut()) {
            header.value.extend_from_slice(line);
            return;
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let colon = colon.unwrap_or_else(|| panic!("not a header field: {}", line.escape_ascii()));
        self.headers.push(message::Header {
            name: String::from_utf8_lossy(&line[..colon]).into(),
            value: line[colon + 1..].to_vec(),
        });
    }
}

/// A MIME part.
#[derive(Clone, Debug)]
#[must_use]
pub struct Part {
    pub(super) content_type: String,
    pub(super) filenames: Vec<String>,
    pub(super) disposition: Option<String>,
    pub(super) content: Vec<u8>,
    pub(super) container: bool,
    pub(super) parameters: Vec<Pair>,
    pub(super) encoding: String,
    pub(super) content_id: Option<String>,
    pub(super) description: Option<String>,
    pub(super) defects: Vec<message::PartDefect>,
    pub(super) headers: Vec<message::Header>,
}

impl Part {
    /// An empty part of this type, for example `application/zip`.
    pub fn new(content_type: &str) -> Self {
        Self {
            content_type: content_type.into(),
            filenames: Vec::new(),
            disposition: None,
            content: Vec::new(),
            container: false,
            parameters: Vec::new(),
            encoding: "7bit".into(),
            content_id: None,
            description: None,
            defects: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// An attachment with a file name.
    pub fn attachment(content_type: &str, filename: &str) -> Self {
        Self {
            filenames: vec![filename.into()],
            disposition: Some("attachment".into()),
            ..Self::new(content_type)
        }
    }

    /// Adds a file name that some programs use.
    pub fn filename(mut self, filename: &str) -> Self {
        self.filenames.push(filename.into());
        self
    }

    /// Adds a defect.
    pub fn defect(mut self, defect: message::PartDefect) -> Self {
        self.defects.push(defect);
        self
    }

    /// Sets the decoded content.
    pub fn content(mut self, content: impl AsRef<[u8]>) -> Self {
        self.content = content.as_ref().to_vec();
        self
    }

    /// Adds a parameter of Content-Type; the name is in lower case.
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.push(Pair {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// Sets the Content-Transfer-Encoding, in lower case.
    pub fn encoding(mut self, encoding: &str) -> Self {
        self.encoding = encoding.into();
        self
    }

    /// Sets the Content-ID, without angle brackets.
    pub fn content_id(mut self, id: &str) -> Self {
        self.content_id = Some(id.into());
        self
    }

    /// Sets the Content-Description.
    pub fn description(mut self, text: &str) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Adds a header field below the others.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(message::Header {
            name: name.into(),
            value: [b" ", value.as_ref()].concat(),
        });
        self
    }

    /// Makes this a part that only contains others.
    pub const fn container(mut self) -> Self {
        self.container = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_wire_is_taken_apart() {
        let wire = b"Subject: one\r\n two\r\nX-Empty:\r\n\r\nbody\r\n\r\nmore\r\n";
        assert_eq!(
            (message::started_at(), message::headers_complete()),
            (None, false)
        );
        Message::from_bytes(wire).install();
        assert!(message::headers_complete() && message::started_at() < message::completed_at());
        assert_eq!(message::header_count(), 2);
        assert_eq!(message::header_text("SUBJECT").as_deref(), Some("one two"));
        assert_eq!(message::header_text("x-empty").as_deref(), Some(""));
        assert_eq!(message::header_text("absent"), None);
        assert_eq!(message::read_body(6, 100), b"\r\nmore\r\n");
        assert_eq!(message::size() as usize, wire.len());
        assert_eq!(message::read_part(0, 0, 4), b"body");
    }

    #[test]
    fn parts_stand_below_the_message() {
        let attachment = Part::attachment("application/zip", "a.zip").content("PK");
        Message::new().part(attachment).install();
        assert_eq!(message::part_count(), 2);
        assert!(message::part_at(0).unwrap().container);
        let part = message::part_at(1).unwrap();
        assert_eq!((part.filename(), part.size), (Some("a.zip"), 2));
        assert_eq!(message::read_part(1, 1, 10), b"K");
        assert_eq!(message::read_part(2, 0, 10), b"");
    }
}
