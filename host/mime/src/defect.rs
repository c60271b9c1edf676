//! What in the fields of a part is ambiguous, so that mail programs read the part in different ways.

use postgate_proto::header::{Field, HeaderBlock};

use super::boundary::BoundaryValue;
use super::message_type::is_message;
use super::parameter::parameters;
use super::words::has_words;

/// A reason for which mail programs may read a part in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Content-Transfer-Encoding is repeated, malformed or not known, or more base64 follows the padding
    /// of the content.
    AmbiguousEncoding,
    /// A file name comes in pieces that do not fit together or in a charset that few programs know, or
    /// there are too many names.
    AmbiguousFilename,
    /// Programs may find other parts, or the content elsewhere: the header block of the part does not end
    /// with an empty line or has lines that are no fields, a line only begins with a boundary, a
    /// boundary comes after the closing one, or the lines that divide the message do not end alike.
    AmbiguousStructure,
    /// Content-Type is repeated or malformed, so that programs find other parts; or a part that is no
    /// message looks like one.
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

/// True if programs may disagree on the type that these fields state.
pub(super) fn is_type_ambiguous(fields: &HeaderBlock) -> bool {
    let types: Vec<_> = fields
        .named("Content-Type")
        .map(|field| text(&field).to_ascii_lowercase())
        .collect();
    let is_structured = |written: &String| STRUCTURED.iter().any(|word| written.contains(word));
    let is_malformed = |written: &&String| {
        let media = media(written);
        is_obscure(media) || is_structured(written) && !is_media_type(media)
    };
    if types.iter().any(|written| is_malformed(&written)) {
        return true;
    }
    let is_repeated = types.iter().any(|written| *written != types[0]);
    let holds_others =
        |written: &String| HOLDERS.iter().any(|kind| media(written).starts_with(kind));
    is_repeated && types.iter().any(holds_others)
}

/// The boundary that these fields of a multipart state, if they state one that all programs know to
/// be one.
pub(super) fn boundary(fields: &HeaderBlock) -> Option<BoundaryValue> {
    let mut found: Option<BoundaryValue> = None;
    for field in fields.named("Content-Type") {
        let all = parameters(&text(&field), |name| name == "boundary");
        let [only] = all.as_slice() else {
            return None;
        };
        let value = Some(only)
            .filter(|only| only.is_plain())
            .and_then(BoundaryValue::of)?;
        if found.get_or_insert_with(|| value.clone()) != &value {
            return None;
        }
    }
    found
}

/// The value of a field as text, without its folding. Only spaces and tabs are white space: programs
/// disagree on anything else.
pub(super) fn text(field: &Field<'_>) -> String {
    let unfolded = field.unfolded();
    let text = String::from_utf8_lossy(&unfolded);
    text.trim_matches([' ', '\t', '\r', '\n']).to_owned()
}

/// The media type in a Content-Type.
fn media(written: &str) -> &str {
    let end = written.find(';').unwrap_or(written.len());
    written[..end].trim_matches([' ', '\t'])
}

/// True for a media type with characters that some programs skip, decode or take for white space.
fn is_obscure(media: &str) -> bool {
    let is_odd = |c: char| !c.is_ascii() || c.is_ascii_control() && c != '\t';
    media.contains(is_odd) || has_words(media)
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
        message if is_message(message) => encoding == "quoted-printable",
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

    /// Fields of this name with these values.
    fn fields(name: &str, values: &[&str]) -> HeaderBlock {
        let lines = values.iter().map(|value| format!("{name}: {value}\r\n"));
        block(&lines.collect::<String>())
    }

    #[test]
    fn types_that_programs_disagree_on() {
        let table: [(&[&str], bool); 29] = [
            (&[], false),
            (&["text/plain"], false),
            (&["text"], false),
            (&["text/html charset=utf-8"], false),
            (&["text/plain;\r\n\tcharset=utf-8"], false),
            (&["text/plain", "text/html; charset=utf-8"], false),
            (&["multipart/mixed; boundary=a"], false),
            (
                &["multipart/mixed; boundary=a", "multipart/mixed; boundary=a"],
                false,
            ),
            (&["multipart/mixed; boundary=a", "text/plain"], true),
            (&["text/plain", "message/rfc822"], true),
            (
                &["multipart/mixed; boundary=a", "multipart/mixed; boundary=b"],
                true,
            ),
            (&["multipart/mixed boundary=a"], true),
            (&["multipart; boundary=a"], true),
            (&["(x) multipart/mixed; boundary=a"], true),
            (&["; boundary=a"], true),
            // To some programs, these are white space.
            (&["\u{b}multipart/mixed; boundary=a"], true),
            (&["\u{c}message/rfc822"], true),
            (&["\u{a0}message/rfc822"], true),
            (&["\u{85}multipart/mixed; boundary=a"], true),
            (&["\u{2028}multipart/mixed; boundary=a"], true),
            (&["\u{3000}message/rfc822"], true),
            (&["message/rfc822\u{1c}"], true),
            (&["message/rfc822\u{a0}; x=y"], true),
            (&["\u{feff}text/html"], true),
            (&["text\0/html"], true),
            (&["text/html\u{c}"], true),
            (&["=?us-ascii?b?bWVzc2FnZS9yZmM4MjI=?="], true),
            (&["=?us-ascii?q?text/html?="], true),
            (&["text/plain; name=\"=?utf-8?q?a?=\""], false),
        ];
        for (values, expected) in table {
            let found = is_type_ambiguous(&fields("Content-Type", values));
            assert_eq!(found, expected, "{values:?}");
        }
        let no_break_space = b"Content-Type: \xA0message/rfc822\r\n";
        assert!(is_type_ambiguous(&HeaderBlock::parse(
            no_break_space.to_vec()
        )));
    }

    #[test]
    fn boundaries_in_every_reading() {
        let table: [(&[&str], Option<(&str, &[&str])>); 42] = [
            (&["boundary=a"], Some(("a", &[]))),
            (&["boundary=\"a b\""], Some(("a b", &[]))),
            (&["boundary = a ; x=y"], Some(("a", &[]))),
            (&["boundary=a", "boundary=a"], Some(("a", &[]))),
            (&["boundary=\"=_x:y/1(2)\""], Some(("=_x:y/1(2)", &[]))),
            (&["boundary=\"=?x\""], Some(("=?x", &[]))),
            // Without quotes, a value should end at these characters.
            (&["boundary==_x"], Some(("=_x", &[]))),
            (
                &["boundary=----=_Part_1"],
                Some(("----=_Part_1", &["----"])),
            ),
            (&["boundary=a=x"], Some(("a=x", &["a"]))),
            (&["boundary=a/x?y"], Some(("a/x?y", &["a"]))),
            (&["boundary=a?x"], Some(("a?x", &["a"]))),
            (&["boundary=a:x"], Some(("a:x", &["a"]))),
            (&["boundary=a@x"], Some(("a@x", &["a"]))),
            (&["boundary=a<x"], Some(("a<x", &["a"]))),
            (&["boundary=a[x]"], Some(("a[x]", &["a"]))),
            (&["boundary=a*x=y"], Some(("a*x=y", &["a*x", "a"]))),
            (&["boundary=a'x"], Some(("a'x", &["a"]))),
            (&["boundary=<a>"], Some(("<a>", &["a"]))),
            (&["boundary=\"<a>\""], Some(("<a>", &["a"]))),
            // What is never written by accident.
            (&[""], None),
            (&["boundary="], None),
            (&["boundary=\"\""], None),
            (&["boundary=a; boundary=b"], None),
            (&["boundary=a; boundary\u{b}=b"], None),
            (&["boundary=a; boundary\u{3000}=b"], None),
            (&["boundary=a; x=\"boundary=b\""], None),
            (&["boundary=a", "boundary=b"], None),
            (&["boundary*=us-ascii''a"], None),
            (&["boundary*0=a; boundary*1=b"], None),
            (&["boundary=a b"], None),
            (&["boundary=a,b"], None),
            (&["boundary=\"a\\b\""], None),
            (&["boundary=\"a"], None),
            (&["boundary=a\"b\""], None),
            (&["boundary=\"a\"b"], None),
            (&["boundary=\"a \""], None),
            (&["boundary=a(c)"], None),
            (&["boundary=(c)a"], None),
            (&["boundary=\"=?us-ascii?q?a?=\""], None),
            (&["boundary==?us-ascii?q?a?="], None),
            (&["boundary=\u{a0}a"], None),
            (&["boundary=\"a\u{e9}\""], None),
        ];
        for (values, expected) in table {
            let values: Vec<_> = values
                .iter()
                .map(|value| format!("multipart/mixed; {value}"))
                .collect();
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            let found = boundary(&fields("Content-Type", &values));
            let found = found.map(|it| (it.usual, it.others));
            let expected = expected.map(|(usual, others)| {
                let others = others.iter().map(|it| (*it).to_owned()).collect();
                (usual.to_owned(), others)
            });
            assert_eq!(found, expected, "{values:?}");
        }
    }
}
