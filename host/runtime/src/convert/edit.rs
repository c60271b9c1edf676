//! The edits and texts of an answer, each checked.

use std::time::Duration;

use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::auth::Mechanism;
use postgate_proto::header::{HeaderEdit, HeaderName, HeaderValue};
use postgate_proto::session::is_own_keyword;

use super::broken::Broken;
use crate::bindings::host::types;
use crate::verdict::{Edit, EnvelopeEdit, ProfileEdit};

pub(super) fn session_edit(edit: types::SessionEdit) -> Result<Edit, Broken> {
    match edit {
        types::SessionEdit::Delay(milliseconds) => {
            Ok(Edit::Delay(Duration::from_millis(milliseconds.into())))
        }
        types::SessionEdit::Tag(pair) => {
            let is_short = pair.name.len() + pair.value.len() <= MAX_TEXT;
            match is_short && is_text(&pair.name) && is_text(&pair.value) {
                true => Ok(Edit::Tag(pair.name, pair.value)),
                false => Err(Broken(format!(
                    "a tag has at most {MAX_TEXT} octets and no control characters"
                ))),
            }
        }
    }
}

pub(super) fn header_edit(edit: types::HeaderEdit) -> Result<Edit, Broken> {
    use types::HeaderEdit as Given;
    Ok(Edit::Header(match edit {
        Given::Append(field) => {
            let (name, value) = header_field(&field)?;
            HeaderEdit::Append(name, value)
        }
        Given::Insert(insertion) => {
            let (name, value) = header_field(&insertion.field)?;
            let index = insertion.index as usize;
            HeaderEdit::Insert { index, name, value }
        }
        Given::Prepend(field) => {
            let (name, value) = header_field(&field)?;
            HeaderEdit::Prepend(name, value)
        }
        Given::Set(field) => {
            let (name, value) = header_field(&field)?;
            HeaderEdit::Set(name, value)
        }
        Given::Remove(position) => HeaderEdit::Remove {
            name: header_name(&position.name)?,
            index: position.index as usize,
        },
        Given::RemoveAll(name) => HeaderEdit::RemoveAll(header_name(&name)?),
        Given::Replace(replacement) => HeaderEdit::Replace {
            name: header_name(&replacement.at.name)?,
            index: replacement.at.index as usize,
            value: header_value(&replacement.value)?,
        },
    }))
}

pub(super) fn header_field(
    field: &types::HeaderField,
) -> Result<(HeaderName, HeaderValue), Broken> {
    Ok((header_name(&field.name)?, header_value(&field.value)?))
}

pub(super) fn header_name(name: &str) -> Result<HeaderName, Broken> {
    HeaderName::new(name).map_err(|error| Broken(error.to_string()))
}

pub(super) fn header_value(value: &[u8]) -> Result<HeaderValue, Broken> {
    HeaderValue::new(value).map_err(|error| Broken(error.to_string()))
}

pub(super) fn rewrite_sender(text: &str, charset: Charset) -> Result<Edit, Broken> {
    ReversePath::parse(text, charset)
        .map(|path| Edit::Envelope(EnvelopeEdit::RewriteSender(path)))
        .map_err(|error| Broken(format!("sender {text:?}: {error}")))
}

pub(super) fn recipient(text: &str, charset: Charset) -> Result<ForwardPath, Broken> {
    ForwardPath::parse(text, charset)
        .map_err(|error| Broken(format!("recipient {text:?}: {error}")))
}

/// Only whole lines: a lone CR or LF would be a line end to some servers and none to others.
pub(super) fn replace_body(body: Vec<u8>) -> Result<Edit, Broken> {
    let mut rest = body.as_slice();
    while let Some(index) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        match rest[index..].strip_prefix(b"\r\n") {
            Some(after) => rest = after,
            None => return Err(Broken("a body has lines that end in CRLF".into())),
        }
    }
    Ok(Edit::ReplaceBody(body))
}

/// A verb, or the name of a parameter (RFC 5321 §4.1.2).
pub(super) fn keyword(word: String, edit: fn(String) -> ProfileEdit) -> Result<Edit, Broken> {
    match is_keyword(&word) && word.len() <= 64 {
        true => Ok(Edit::Profile(edit(word))),
        false => Err(Broken(format!("{word:?} is no keyword"))),
    }
}

pub(super) fn is_keyword(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The mechanisms of these names, each once. Names of others are ignored.
pub(super) fn mechanisms(names: &[String]) -> Vec<Mechanism> {
    let mut known = Vec::new();
    for mechanism in names.iter().filter_map(|name| Mechanism::parse(name)) {
        if !known.contains(&mechanism) {
            known.push(mechanism);
        }
    }
    known
}

pub(super) fn is_host_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

/// `ehlo-keyword *( SP ehlo-param )` (RFC 5321 §4.1.1.1).
pub(super) fn ehlo_keyword(text: String) -> Result<Edit, Broken> {
    let is_parameter = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic());
    let mut words = text.split(' ');
    match words.next().is_some_and(is_keyword) && words.all(is_parameter) && text.len() <= 400 {
        true if is_own_keyword(&text) => Err(Broken(format!(
            "{text:?} has an EHLO keyword that is the gateway's own"
        ))),
        true => Ok(Edit::Profile(ProfileEdit::AddEhloKeyword(text))),
        false => Err(Broken(format!(
            "{text:?} is no EHLO keyword with parameters"
        ))),
    }
}

pub(super) fn is_text(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// A text that stands in one line, and is cut where it is long.
pub(super) fn one_line(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    text.replace(char::is_control, "")
}

/// So long may a text be that is kept for the session, or goes into the log, in octets: what a plugin
/// says must not fill the memory of the host.
const MAX_TEXT: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let tag = |length| {
            session_edit(types::SessionEdit::Tag(types::Pair {
                name: "x".into(),
                value: "y".repeat(length),
            }))
        };
        assert!(tag(MAX_TEXT - 1).is_ok());
        assert!(tag(MAX_TEXT).is_err());
        assert_eq!(one_line(&"\u{e9}".repeat(MAX_TEXT)).len(), MAX_TEXT);
        assert_eq!(one_line("a\r\nb"), "ab");
    }

    #[test]
    fn mechanisms_are_named_once() {
        let mut names = vec!["nonsense".to_owned(), "plain".to_owned()];
        names.extend(vec!["PLAIN".to_owned(); 170_000]);
        names.push("XOAUTH2".to_owned());
        assert_eq!(mechanisms(&names), [Mechanism::Plain, Mechanism::Xoauth2]);
        assert_eq!(mechanisms(&[]), []);
    }

    #[test]
    fn bodies_have_whole_lines() {
        for body in ["", "a", "a\r\n", "\r\n", "a\r\n\r\nb"] {
            assert!(replace_body(body.into()).is_ok(), "{body:?}");
        }
        for body in [
            "\n", "\r", "a\nb", "a\rb", "a\r\r\n", "a\r\n\n", "a\n\r", "a\r",
        ] {
            assert!(replace_body(body.into()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn nothing_is_injected() {
        let field = |name: &str, value: &str| types::HeaderField {
            name: name.into(),
            value: value.into(),
        };
        for (name, value) in [
            ("X", "a\r\nInjected: yes"),
            ("X: a\r\nY", "b"),
            ("X", "a\0"),
        ] {
            assert!(header_field(&field(name, value)).is_err());
        }
        assert!(ehlo_keyword("XFOO\r\n250 HELP".into()).is_err());
        assert!(ehlo_keyword("XFOO a b".into()).is_ok());
        for own in ["AUTH PLAIN", "starttls", "SIZE"] {
            let Broken(rule) = ehlo_keyword(own.into()).unwrap_err();
            assert!(rule.ends_with("is the gateway's own"), "{rule}");
        }
        assert_eq!(one_line("a\r\nb"), "ab");
        assert!(rewrite_sender("a@b> SIZE=1\r\nRCPT TO:<c@d", Charset::Ascii).is_err());
    }
}
