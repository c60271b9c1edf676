//! What the header block of a part says about its content (RFC 2045).

use mail_parser::{MessageParser, MimeHeaders};

/// The fields of a header block that are about content, collected line by line.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// These fields alone, as they were written.
    fields: Vec<u8>,
    length: u64,
    /// How many octets of them stand between parameters.
    marks: usize,
    is_kept: bool,
    is_cut: bool,
}

impl Head {
    /// The header block of a part that stands in a text.
    pub(super) fn read(octets: &[u8]) -> Self {
        let mut head = Self::default();
        for line in octets.split(|octet| matches!(octet, b'\r' | b'\n')) {
            // An empty line could only be the middle of a CRLF, or what ends the block.
            if !line.is_empty() {
                head.line(line, line.len() as u64);
            }
        }
        head
    }

    /// Takes a line without its ending, of which only so many octets may have been kept.
    pub(super) fn line(&mut self, text: &[u8], length: u64) {
        self.length += length + 2;
        self.is_cut |= self.length > MAX_HEAD;
        if !matches!(text, [b' ' | b'\t', ..]) {
            let colon = text.iter().take(MAX_NAME).position(|octet| *octet == b':');
            let name = colon.map(|colon| text[..colon].trim_ascii_end());
            self.is_kept = name.is_some_and(is_about_content);
        }
        if self.is_kept {
            self.keep(text);
        }
    }

    /// Takes a whole field, without a limit on what else there is.
    pub(super) fn field(&mut self, name: &str, value: &[u8]) {
        if is_about_content(name.as_bytes()) {
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

    /// What it says; `default` is the type of a part that does not say any.
    pub(super) fn facts(mut self, default: &str) -> Facts {
        self.fields.extend_from_slice(b"\r\n");
        let message = MessageParser::new().parse_headers(&self.fields);
        let mut facts = match message.as_ref().and_then(|message| message.parts.first()) {
            None => Facts::new(default),
            Some(part) => Facts::of(part, default),
        };
        facts.is_cut = self.is_cut;
        facts
    }
}

fn is_about_content(name: &[u8]) -> bool {
    let names = [
        "Content-Description",
        "Content-Disposition",
        "Content-ID",
        "Content-Transfer-Encoding",
        "Content-Type",
    ];
    names
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// What a header block says about the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Type and subtype in lower case.
    pub content_type: String,
    /// The decoded file name.
    pub filename: Option<String>,
    /// The disposition in lower case.
    pub disposition: Option<String>,
    /// The parameters of Content-Type, names in lower case, decoded (RFC 2231).
    pub parameters: Vec<(String, String)>,
    /// Content-Transfer-Encoding in lower case; `7bit` where there is none.
    pub encoding: String,
    /// Content-ID without its angle brackets.
    pub content_id: Option<String>,
    /// Content-Description, decoded (RFC 2047).
    pub description: Option<String>,
    pub(super) boundary: Option<String>,
    pub(super) charset: Option<String>,
    /// Whether Content-Type has a name.
    pub(super) has_name: bool,
    /// Whether the header block was too long to be read as a whole.
    pub(super) is_cut: bool,
}

impl Facts {
    pub(super) fn new(content_type: &str) -> Self {
        Self {
            content_type: content_type.into(),
            filename: None,
            disposition: None,
            parameters: Vec::new(),
            encoding: SEVEN_BIT.into(),
            content_id: None,
            description: None,
            boundary: None,
            charset: None,
            has_name: false,
            is_cut: false,
        }
    }

    fn of(part: &mail_parser::MessagePart<'_>, default: &str) -> Self {
        let content_type = part.content_type();
        let parameters = content_type.and_then(|content_type| content_type.attributes());
        let parameter = |name: &str| {
            let value = content_type.and_then(|content_type| content_type.attribute(name));
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        Self {
            content_type: content_type.map_or_else(
                || default.to_owned(),
                |content_type| {
                    let subtype = content_type.subtype().unwrap_or("plain");
                    format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase()
                },
            ),
            filename: part.attachment_name().map(Into::into),
            disposition: part
                .content_disposition()
                .map(|disposition| disposition.ctype().to_ascii_lowercase()),
            parameters: parameters
                .unwrap_or_default()
                .iter()
                .map(|attribute| {
                    let name = attribute.name.to_ascii_lowercase();
                    (name, attribute.value.to_string())
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
            boundary: parameter("boundary"),
            charset: parameter("charset"),
            has_name: content_type.is_some_and(|content_type| content_type.has_attribute("name")),
            is_cut: false,
        }
    }

    /// Whether the content is text, and therefore UTF-8 once it is decoded.
    pub fn is_text(&self) -> bool {
        self.content_type.starts_with("text/")
    }

    pub(super) fn is_attachment(&self) -> bool {
        self.disposition.as_deref() == Some("attachment")
    }
}

/// What holds without a Content-Transfer-Encoding (RFC 2045 §6.1).
const SEVEN_BIT: &str = "7bit";
/// The longest header block of a part that is read, in octets.
pub(super) const MAX_HEAD: u64 = 65_536;
/// So long may the fields be that are about content, in octets.
const MAX_FIELDS: usize = 8_192;
/// So many semicolons and apostrophes may be in them: each parameter is compared with all others.
const MAX_MARKS: usize = 256;
/// A name that is about content, and white space behind it, are not longer.
const MAX_NAME: usize = 80;
