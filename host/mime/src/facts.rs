//! The content of a part as its header block describes it (RFC 2045).

use mail_parser::{MessagePart, MimeHeaders};
use postgate_proto::header::HeaderBlock;

use super::boundary::BoundaryValue;
use super::defect::{Defect, SEVEN_BIT, boundary, encoding, is_type_ambiguous};
use super::names::Names;

/// What the header block of a part says about its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Type and subtype in lower case.
    pub content_type: String,
    /// Every file name that a mail program may use, decoded: the usual one first.
    pub filenames: Vec<String>,
    /// The disposition in lower case.
    pub disposition: Option<String>,
    /// The parameters of Content-Type, names in lower case, decoded (RFC 2231).
    pub parameters: Vec<(String, String)>,
    /// Content-Transfer-Encoding in lower case and without comments; `7bit` if there is none (RFC
    /// 2045 §6.1).
    pub encoding: String,
    /// Content-ID without its angle brackets.
    pub content_id: Option<String>,
    /// Content-Description, decoded (RFC 2047).
    pub description: Option<String>,
    /// Why mail programs may read the part in different ways.
    pub defects: Vec<Defect>,
    pub(super) boundary: Option<String>,
    /// What some programs take for the boundary.
    pub(super) other_boundaries: Vec<String>,
    pub(super) charset: Option<String>,
    /// True if Content-Type has the parameter `name`.
    pub(super) has_name: bool,
    /// True if the header block exceeds a limit and was not parsed as a whole.
    pub(super) is_cut: bool,
}

impl Facts {
    /// A part without any fields.
    pub(super) fn new(content_type: &str) -> Self {
        Self {
            content_type: content_type.into(),
            filenames: Vec::new(),
            disposition: None,
            parameters: Vec::new(),
            encoding: SEVEN_BIT.into(),
            content_id: None,
            description: None,
            defects: Vec::new(),
            boundary: None,
            other_boundaries: Vec::new(),
            charset: None,
            has_name: false,
            is_cut: false,
        }
    }

    /// Converts the fields of a part. Without a Content-Type, its type is `default_type`.
    pub(super) fn of<'a>(part: &'a MessagePart<'_>, default_type: &str) -> Self {
        let content_type = part.content_type();
        let parameters = content_type.and_then(|content_type| content_type.attributes());
        let parameter = |name: &str| {
            let value = content_type.and_then(|content_type| content_type.attribute(name));
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        Self {
            content_type: content_type.map_or_else(
                || default_type.to_owned(),
                |content_type| {
                    let subtype = content_type.subtype().unwrap_or("plain");
                    // Programs do not look at what follows white space.
                    let word =
                        |text: &'a str| text.split_ascii_whitespace().next().unwrap_or_default();
                    format!("{}/{}", word(content_type.ctype()), word(subtype)).to_ascii_lowercase()
                },
            ),
            filenames: part.attachment_name().map(Into::into).into_iter().collect(),
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
            encoding: SEVEN_BIT.into(),
            content_id: part
                .content_id()
                .map(|id| id.trim_matches(['<', '>']).to_owned()),
            description: part.content_description().map(Into::into),
            defects: Vec::new(),
            // A boundary does not end with white space (RFC 2046 §5.1.1).
            boundary: parameter("boundary").map(|boundary| boundary.trim_ascii_end().to_owned()),
            other_boundaries: Vec::new(),
            charset: parameter("charset"),
            has_name: content_type.is_some_and(|content_type| content_type.has_attribute("name")),
            is_cut: false,
        }
    }

    /// Adds what programs may read differently: names, encoding and type.
    pub(super) fn compare(&mut self, fields: &HeaderBlock) {
        let usual = self.filenames.drain(..).next();
        let names = Names::of(fields, usual);
        self.filenames = names.found;
        let (encoding, is_encoding_ambiguous) = encoding(fields, &self.content_type);
        self.encoding = encoding;
        let is_type_ambiguous = is_type_ambiguous(fields)
            || self.is_multipart() && !self.take_boundary(boundary(fields));
        let found = [
            (is_encoding_ambiguous, Defect::AmbiguousEncoding),
            (names.is_ambiguous, Defect::AmbiguousFilename),
            (is_type_ambiguous, Defect::AmbiguousType),
        ];
        let defects = found.into_iter().filter(|(is_found, _)| *is_found);
        self.defects.extend(defects.map(|(_, defect)| defect));
    }

    /// Takes what the boundary is in every reading. Returns false if there is none on which programs
    /// agree, as far as that is known.
    fn take_boundary(&mut self, value: Option<BoundaryValue>) -> bool {
        let Some(value) = value else {
            return false;
        };
        self.other_boundaries = value.others;
        let is_certain = self.boundary.as_deref() == Some(value.usual.as_str());
        self.boundary = Some(value.usual);
        is_certain
    }

    /// True if the content consists of parts, by its type.
    pub(super) fn is_multipart(&self) -> bool {
        self.content_type.starts_with("multipart/")
    }

    /// What some programs take for the boundary, as octets.
    pub(super) fn other_boundaries(&self) -> Vec<Vec<u8>> {
        let others = self.other_boundaries.iter();
        others.map(|other| other.clone().into_bytes()).collect()
    }

    /// True if the content is text.
    pub fn is_text(&self) -> bool {
        self.content_type.starts_with("text/")
    }

    pub(super) fn is_attachment(&self) -> bool {
        self.disposition.as_deref() == Some("attachment")
    }
}
