//! Converts the edits and texts of an answer, and checks them.

use std::time::Duration;

use postgate_proto::address::{Charset, ForwardPath, ReversePath};
use postgate_proto::auth::Mechanism;
use postgate_proto::header::{HeaderEdit, HeaderName, HeaderValue};
use postgate_proto::session::is_own_keyword;

use super::invalid_answer::InvalidAnswer;
use crate::bindings::host::types;
use crate::verdict::{Edit, EnvelopeEdit, ProfileEdit};

pub(super) fn session_edit(edit: types::SessionEdit) -> Result<Edit, InvalidAnswer> {
    match edit {
        types::SessionEdit::Delay(milliseconds) => {
            Ok(Edit::Delay(Duration::from_millis(milliseconds.into())))
        }
        types::SessionEdit::Tag(pair) => {
            let is_short = pair.name.len() + pair.value.len() <= MAX_TEXT;
            match is_short && is_text(&pair.name) && is_text(&pair.value) {
                true => Ok(Edit::Tag(pair.name, pair.value)),
                false => Err(InvalidAnswer::Tag { limit: MAX_TEXT }),
            }
        }
    }
}

pub(super) fn header_edit(edit: types::HeaderEdit) -> Result<Edit, InvalidAnswer> {
    Ok(Edit::Header(match edit {
        types::HeaderEdit::Append(field) => {
            let (name, value) = header_field(&field)?;
            HeaderEdit::Append(name, value)
        }
        types::HeaderEdit::Insert(insertion) => {
            let (name, value) = header_field(&insertion.field)?;
            let index = insertion.index as usize;
            HeaderEdit::Insert { index, name, value }
        }
        types::HeaderEdit::Prepend(field) => {
            let (name, value) = header_field(&field)?;
            HeaderEdit::Prepend(name, value)
        }
        types::HeaderEdit::Set(field) => {
            let (name, value) = header_field(&field)?;
            HeaderEdit::Set(name, value)
        }
        types::HeaderEdit::Remove(position) => HeaderEdit::Remove {
            name: header_name(&position.name)?,
            index: position.index as usize,
        },
        types::HeaderEdit::RemoveAll(name) => HeaderEdit::RemoveAll(header_name(&name)?),
        types::HeaderEdit::Replace(replacement) => HeaderEdit::Replace {
            name: header_name(&replacement.at.name)?,
            index: replacement.at.index as usize,
            value: header_value(&replacement.value)?,
        },
    }))
}

pub(super) fn header_field(
    field: &types::HeaderField,
) -> Result<(HeaderName, HeaderValue), InvalidAnswer> {
    Ok((header_name(&field.name)?, header_value(&field.value)?))
}

pub(super) fn header_name(name: &str) -> Result<HeaderName, InvalidAnswer> {
    Ok(HeaderName::new(name)?)
}

pub(super) fn header_value(value: &[u8]) -> Result<HeaderValue, InvalidAnswer> {
    Ok(HeaderValue::new(value)?)
}

pub(super) fn rewrite_sender(text: &str, charset: Charset) -> Result<Edit, InvalidAnswer> {
    match ReversePath::parse(text, charset) {
        Ok(path) => Ok(Edit::Envelope(EnvelopeEdit::RewriteSender(path))),
        Err(error) => Err(InvalidAnswer::Sender {
            text: excerpt(text.to_owned()),
            error,
        }),
    }
}

pub(super) fn recipient(text: &str, charset: Charset) -> Result<ForwardPath, InvalidAnswer> {
    ForwardPath::parse(text, charset).map_err(|error| InvalidAnswer::Recipient {
        text: excerpt(text.to_owned()),
        error,
    })
}

/// Checks a verb or the name of a parameter: an `esmtp-keyword` (RFC 5321 §4.1.2) of at most 64 octets.
pub(super) fn keyword(
    word: String,
    edit: fn(String) -> ProfileEdit,
) -> Result<Edit, InvalidAnswer> {
    match is_keyword(&word) && word.len() <= MAX_KEYWORD {
        true => Ok(Edit::Profile(edit(word))),
        false => Err(InvalidAnswer::Keyword(excerpt(word))),
    }
}

/// True for an `esmtp-keyword` (RFC 5321 §4.1.2).
pub(super) fn is_keyword(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Returns the SASL mechanisms with these names, without duplicates. Unknown names are ignored.
pub(super) fn mechanisms(names: &[String]) -> Vec<Mechanism> {
    let mut known = Vec::new();
    for mechanism in names.iter().filter_map(|name| Mechanism::parse(name)) {
        if !known.contains(&mechanism) {
            known.push(mechanism);
        }
    }
    known
}

/// True for text of 1 to 255 octets with the characters of host names. Underscores are allowed, since they
/// occur in the names of some hosts.
pub(super) fn is_host_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

/// Checks a line for the reply to EHLO: `ehlo-keyword *( SP ehlo-param )` (RFC 5321 §4.1.1.1) of at most 400
/// octets. A plugin cannot announce an extension that the gateway implements.
pub(super) fn ehlo_keyword(text: String) -> Result<Edit, InvalidAnswer> {
    let is_parameter = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic());
    let mut words = text.split(' ');
    match words.next().is_some_and(is_keyword)
        && words.all(is_parameter)
        && text.len() <= MAX_EHLO_LINE
    {
        true if is_own_keyword(&text) => Err(InvalidAnswer::OwnKeyword(excerpt(text))),
        true => Ok(Edit::Profile(ProfileEdit::AddEhloKeyword(text))),
        false => Err(InvalidAnswer::EhloKeyword(excerpt(text))),
    }
}

/// True for text without control characters.
pub(super) fn is_text(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// The beginning of a text that violates the contract, for the log. Showing all of it could take long.
pub(super) fn excerpt(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}

/// Makes one line of a text: removes control characters, and cuts the text at [`MAX_TEXT`] octets.
pub(super) fn one_line(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    text.replace(char::is_control, "")
}

/// The greatest length in octets of a keyword.
const MAX_KEYWORD: usize = 64;
/// The greatest length in octets of a line that a plugin adds to the reply to EHLO. A reply line has at most
/// 512 octets (RFC 5321 §4.5.3.1.5).
const MAX_EHLO_LINE: usize = 400;
/// The greatest length in octets of a text that is kept for the session or logged, so that a plugin cannot
/// fill the memory of the host.
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
            let rule = ehlo_keyword(own.into()).unwrap_err().to_string();
            assert!(rule.ends_with("is the gateway's own"), "{rule}");
        }
        assert_eq!(one_line("a\r\nb"), "ab");
        assert!(rewrite_sender("a@b> SIZE=1\r\nRCPT TO:<c@d", Charset::Ascii).is_err());
    }
}
