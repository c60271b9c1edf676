//! What in the fields of a part is ambiguous, so that mail programs read the part in different ways.

use postgate_proto::header::{Field, HeaderBlock};

use super::parameter::parameters;

/// A reason for which mail programs may read a part in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Content-Transfer-Encoding is repeated, malformed or not known.
    AmbiguousEncoding,
    /// A file name comes in pieces that do not fit together, or there are too many names.
    AmbiguousFilename,
    /// Programs may find other parts, or the content elsewhere: the header block of the part does not end
    /// with an empty line or has lines that are no fields, a line only begins with a boundary, a
    /// boundary comes after the closing one, or the lines that divide the message do not end alike.
    AmbiguousStructure,
    /// Content-Type is repeated or malformed, so that programs find other parts.
    AmbiguousType,
    /// The content breaks the rules of its transfer encoding.
    MalformedContent,
    /// A multipart without parts: its boundary is missing, is empty, or occurs nowhere.
    NoParts,
}

/// The transfer encoding of these fields, in lower case, and true if programs may disagree on it.
/// Of several fields, the first counts.
pub(super) fn encoding(fields: &HeaderBlock, content_type: &str) -> (String, bool) {
    let mut found: Option<String> = None;
    let mut is_ambiguous = false;
    for field in fields.named("Content-Transfer-Encoding") {
        let written = text(&field).to_ascii_lowercase();
        let name = first_token(&written);
        let is_known = matches!(name, "base64" | "quoted-printable");
        is_ambiguous |= match is_identity(name) {
            true => ENCODED.iter().any(|encoded| written.contains(encoded)),
            false => !is_known || name != written.trim() || is_unusual(name, content_type),
        };
        match &found {
            None => found = Some(name.to_owned()),
            Some(first) => {
                is_ambiguous |= first != name && !(is_identity(first) && is_identity(name))
            }
        }
    }
    let encoding = found.filter(|name| !name.is_empty());
    (encoding.unwrap_or_else(|| SEVEN_BIT.into()), is_ambiguous)
}

/// True if programs may disagree on whether these fields describe a multipart or a message, or on
/// the boundary. `is_multipart` is what this program makes of them.
pub(super) fn is_type_ambiguous(fields: &HeaderBlock, is_multipart: bool) -> bool {
    let types: Vec<_> = fields
        .named("Content-Type")
        .map(|field| text(&field).to_ascii_lowercase())
        .collect();
    let media = |written: &str| {
        let end = written.find(';').unwrap_or(written.len());
        written[..end].trim().to_owned()
    };
    let is_structured = |written: &String| STRUCTURED.iter().any(|word| written.contains(word));
    let is_malformed =
        |written: &&String| is_structured(written) && !is_media_type(&media(written));
    if types.iter().any(|written| is_malformed(&written)) {
        return true;
    }
    let is_repeated = types.iter().any(|written| *written != types[0]);
    let holds_others =
        |written: &String| HOLDERS.iter().any(|kind| media(written).starts_with(kind));
    if is_repeated && types.iter().any(holds_others) {
        return true;
    }
    is_multipart
        && fields.named("Content-Type").any(|field| {
            let found = parameters(&text(&field), |name| name == "boundary");
            match found.as_slice() {
                [only] => {
                    !only.is_plain() || only.readings.len() != 1 || !is_boundary(&only.readings[0])
                }
                _ => true,
            }
        })
}

/// The value of a field as text, without its folding.
pub(super) fn text(field: &Field<'_>) -> String {
    String::from_utf8_lossy(&field.unfolded()).trim().to_owned()
}

/// The first word that is not a comment.
fn first_token(written: &str) -> &str {
    let mut rest = written.trim_start();
    while let Some(comment) = rest.strip_prefix('(') {
        let end = comment.find(')').map_or(comment.len(), |end| end + 1);
        rest = comment[end..].trim_start();
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    &rest[..end]
}

/// True if some programs pass over this encoding, and find other parts: neither a multipart nor a message
/// may have one (RFC 2045 §6.4). A message in base64 has no line in which such a program would find a part.
fn is_unusual(encoding: &str, content_type: &str) -> bool {
    match content_type {
        "message/global" | "message/rfc822" => encoding == "quoted-printable",
        other => other.starts_with("multipart/") && encoding == "base64",
    }
}

/// True if content with this encoding is as it is in the message.
fn is_identity(name: &str) -> bool {
    matches!(name, "" | "7bit" | "7-bit" | "8bit" | "8-bit" | "binary")
}

fn is_media_type(media: &str) -> bool {
    let is_token = |text: &str| {
        let is_part = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        !text.is_empty() && text.bytes().all(is_part)
    };
    let parts = media.split_once('/');
    parts.is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

fn is_boundary(value: &str) -> bool {
    let is_plain = |b: u8| matches!(b, b' '..=b'~') && !b"\"\\".contains(&b);
    !value.is_empty() && !value.ends_with(' ') && value.bytes().all(is_plain)
}

pub(super) const SEVEN_BIT: &str = "7bit";
/// Parts of the names of encodings that change the content.
const ENCODED: [&str; 5] = ["base64", "binhex", "quoted", "uu", "yenc"];
/// The kinds of media that contain other parts.
const HOLDERS: [&str; 2] = ["message/", "multipart/"];
/// Words in a Content-Type that may make a program look for other parts.
const STRUCTURED: [&str; 3] = ["boundary", "message", "multipart"];

#[cfg(test)]
mod tests {
    use super::*;

    fn block(fields: &str) -> HeaderBlock {
        HeaderBlock::parse(fields.as_bytes().to_vec())
    }

    #[test]
    fn encodings_that_programs_disagree_on() {
        let table: [(&[&str], &str, bool); 19] = [
            (&[], "7bit", false),
            (&["Base64 "], "base64", false),
            (&["base64", "BASE64"], "base64", false),
            (&["8bit;"], "8bit", false),
            (&["7bit", "8bit"], "7bit", false),
            (&[""], "7bit", false),
            (&["base64;"], "base64", true),
            (&["base64 (x)"], "base64", true),
            (&["(x) base64"], "base64", true),
            (&["8bit (base64)"], "8bit", true),
            (&["base64", "7bit"], "base64", true),
            (&["7bit", "base64"], "7bit", true),
            (&["x-uuencode"], "x-uuencode", true),
            (&["uue"], "uue", true),
            (&["x-yenc"], "x-yenc", true),
            (&["\"base64\""], "7bit", true),
            (&["quoted_printable"], "quoted_printable", true),
            (&["base64\r\n\tx"], "base64", true),
            (&["utf-8"], "utf-8", true),
        ];
        for (values, expected, is_ambiguous) in table {
            let fields: String = values
                .iter()
                .map(|value| format!("Content-Transfer-Encoding: {value}\r\n"))
                .collect();
            let found = encoding(&block(&fields), "text/plain");
            assert_eq!(found, (expected.to_owned(), is_ambiguous), "{fields}");
        }
        for (content_type, name, expected) in [
            ("multipart/mixed", "base64", true),
            ("multipart/mixed", "quoted-printable", false),
            ("message/rfc822", "base64", false),
            ("message/rfc822", "quoted-printable", true),
            ("message/global", "quoted-printable", true),
            ("message/delivery-status", "quoted-printable", false),
        ] {
            let fields = block(&format!("Content-Transfer-Encoding: {name}\r\n"));
            assert_eq!(
                encoding(&fields, content_type).1,
                expected,
                "{content_type} {name}"
            );
        }
    }

    #[test]
    fn types_that_programs_disagree_on() {
        let table: [(&[&str], bool, bool); 21] = [
            (&[], false, false),
            (&["text/plain"], false, false),
            (&["text/plain", "text/html; charset=utf-8"], false, false),
            (&["multipart/mixed; boundary=a"], true, false),
            (&["multipart/mixed; boundary=\"a b\""], true, false),
            (&["Multipart/Mixed; boundary==_x:y/1"], true, false),
            (
                &["multipart/mixed; boundary=a", "multipart/mixed; boundary=a"],
                true,
                false,
            ),
            (&["multipart/mixed; boundary=a", "text/plain"], true, true),
            (&["text/plain", "message/rfc822"], false, true),
            (
                &["multipart/mixed; boundary=a", "multipart/mixed; boundary=b"],
                true,
                true,
            ),
            (&["multipart/mixed"], true, true),
            (&["multipart/mixed; boundary="], true, true),
            (&["multipart/mixed; boundary=a; boundary=b"], true, true),
            (&["multipart/mixed; boundary*=us-ascii''a"], true, true),
            (&["multipart/mixed; boundary*0=a; boundary*1=b"], true, true),
            (&["multipart/mixed; boundary=a b"], true, true),
            (&["multipart/mixed; boundary=\"a\\b\""], true, true),
            (&["multipart/mixed boundary=a"], false, true),
            (&["multipart; boundary=a"], false, true),
            (&["(x) multipart/mixed; boundary=a"], false, true),
            (&["; boundary=a"], false, true),
        ];
        for (values, is_multipart, expected) in table {
            let fields: String = values
                .iter()
                .map(|value| format!("Content-Type: {value}\r\n"))
                .collect();
            let found = is_type_ambiguous(&block(&fields), is_multipart);
            assert_eq!(found, expected, "{fields}");
        }
    }
}
