//! Reads the header block of a part: only the fields that describe content, within limits.

use mail_parser::MessageParser;
use postgate_proto::header::HeaderBlock;

use super::facts::Facts;
use super::names::SIMPLE;

/// Collects the Content-* fields of a header block, line by line.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The fields as they were written.
    fields: Vec<u8>,
    length: u64,
    /// The number of octets in `fields` that separate or mark parameters.
    marks: usize,
    is_kept: bool,
    is_cut: bool,
}

impl Head {
    /// Reads a whole header block.
    pub(super) fn read(octets: &[u8]) -> Self {
        let mut head = Self::default();
        for line in octets.split(|octet| matches!(octet, b'\r' | b'\n')) {
            // An empty line is either the middle of a CRLF or the end of the block.
            if !line.is_empty() {
                head.line(line, line.len() as u64);
            }
        }
        head
    }

    /// Adds a line without its ending. `text` may be cut; `length` is that of the whole line.
    pub(super) fn line(&mut self, text: &[u8], length: u64) {
        self.length += length + 2;
        self.is_cut |= self.length > MAX_HEAD;
        if !matches!(text, [b' ' | b'\t', ..]) {
            let colon = text.iter().take(MAX_NAME).position(|octet| *octet == b':');
            let name = colon.map(|colon| text[..colon].trim_ascii_end());
            self.is_kept = name.is_some_and(describes_content);
        }
        if self.is_kept {
            self.keep(text);
        }
    }

    /// Adds a whole field. Other fields do not count towards the limit on the header block.
    pub(super) fn field(&mut self, name: &str, value: &[u8]) {
        if describes_content(name.as_bytes()) {
            self.keep(&[name.as_bytes(), b":", value].concat());
        }
    }

    fn keep(&mut self, text: &[u8]) {
        if self.is_cut || self.fields.len() + text.len() > MAX_FIELDS {
            self.is_cut = true;
            return;
        }
        let marks = text.iter().filter(|octet| matches!(octet, b';' | b'\''));
        self.marks += marks.count();
        self.is_cut |= self.marks > MAX_MARKS;
        self.fields.extend_from_slice(text);
        self.fields.extend_from_slice(b"\r\n");
    }

    /// Parses the fields. Without a Content-Type, the type is `default_type`.
    pub(super) fn facts(mut self, default_type: &str) -> Facts {
        self.fields.extend_from_slice(b"\r\n");
        let message = MessageParser::new().parse_headers(&self.fields);
        let mut facts = match message.as_ref().and_then(|message| message.parts.first()) {
            None => Facts::new(default_type),
            Some(part) => Facts::of(part, default_type),
        };
        drop(message);
        facts.compare(&HeaderBlock::parse(self.fields));
        facts.is_cut = self.is_cut;
        facts
    }
}

fn describes_content(name: &[u8]) -> bool {
    let names = [
        "Content-Description",
        "Content-Disposition",
        "Content-ID",
        "Content-Transfer-Encoding",
        "Content-Type",
    ];
    names
        .iter()
        .chain(&SIMPLE)
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The longest header block of a part that is read, in octets.
pub(super) const MAX_HEAD: u64 = 65_536;
/// The total size of the Content-* fields that are parsed, in octets.
const MAX_FIELDS: usize = 8_192;
/// The number of semicolons and apostrophes in these fields. The parser compares each parameter
/// with all others, so that its work grows with the square of this number.
const MAX_MARKS: usize = 256;
/// Longer than the name of any Content-* field and white space after it.
const MAX_NAME: usize = 80;
