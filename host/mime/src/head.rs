//! Reads the header block of a part: only the fields that describe content, within limits.

use mail_parser::MessageParser;
use postgate_proto::header::{HeaderBlock, HeaderLine};

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
                head.line(HeaderLine::of(line), line, line.len() as u64);
            }
        }
        head
    }

    /// True before the first line.
    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a line of this kind without its ending. `text` may be cut; `length` is that of the whole
    /// line.
    pub(super) fn line(&mut self, kind: HeaderLine, text: &[u8], length: u64) {
        self.length += length + 2;
        self.is_cut |= self.length > MAX_HEAD;
        self.is_kept = match kind {
            HeaderLine::Continuation => self.is_kept,
            HeaderLine::Field { name, .. } => describes_content(&text[..name]),
            HeaderLine::Blank
            | HeaderLine::Mailbox { .. }
            | HeaderLine::Text
            | HeaderLine::Unnamed => false,
        };
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
        let fields = HeaderBlock::parse(self.fields);
        let first = first_fields(&fields);
        let message = MessageParser::new().parse_headers(&first);
        let mut facts = match message.as_ref().and_then(|message| message.parts.first()) {
            None => Facts::new(default_type),
            Some(part) => Facts::of(part, default_type),
        };
        facts.compare(&fields);
        facts.is_cut = self.is_cut;
        facts
    }
}

/// The block with the first of all fields of the same name. The parser would use the last one.
fn first_fields(fields: &HeaderBlock) -> Vec<u8> {
    let mut first = Vec::new();
    // There are only a few names that describe content.
    let mut seen: Vec<&str> = Vec::new();
    for field in fields.fields() {
        let name = field.name();
        if seen.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            continue;
        }
        seen.push(name);
        first.extend_from_slice(name.as_bytes());
        first.push(b':');
        // The parser does not know that a lone CR ends a line.
        first.extend_from_slice(&field.unfolded());
        first.extend_from_slice(b"\r\n");
    }
    first.extend_from_slice(b"\r\n");
    first
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
