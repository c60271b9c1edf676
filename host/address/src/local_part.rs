//! Local parts, with and without quotes (RFC 5321 §4.1.2).

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The canonical form of a local part. Quotes and backslashes are not part of it, and remain only where
/// they are necessary (RFC 5321 §4.1.2). Characters are composed (RFC 6532 §3.1).
pub fn canonical_local_part(text: &str) -> Cow<'_, str> {
    match unquoted(text).map(|content| composed(&content).into_owned()) {
        None => composed(text),
        Some(content) if is_dot_string(&content) => Cow::Owned(content),
        Some(content) => {
            let mut quoted = String::with_capacity(content.len() + 2);
            quoted.push('"');
            for c in content.chars() {
                if matches!(c, '"' | '\\') {
                    quoted.push('\\');
                }
                quoted.push(c);
            }
            quoted.push('"');
            Cow::Owned(quoted)
        }
    }
}

/// The characters of a local part: without quotes and the backslashes of quoted pairs, and composed.
pub fn unquoted_local_part(text: &str) -> Cow<'_, str> {
    match unquoted(text) {
        None => composed(text),
        Some(content) => Cow::Owned(composed(&content).into_owned()),
    }
}

/// The text in Normalization Form C of Unicode: `é` is one character, however it was written.
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    const { ComposingNormalizerBorrowed::new_nfc() }.normalize(text)
}

/// The content of a quoted string. Returns `None` if the text is none.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?;
    let mut content = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    loop {
        match rest.next()? {
            '\\' => content.push(rest.next()?),
            '"' => return rest.as_str().is_empty().then_some(content),
            c => content.push(c),
        }
    }
}

/// True for `Atom *("." Atom)`, with UTF-8 (RFC 6531 §3.3).
fn is_dot_string(text: &str) -> bool {
    let is_atom_character = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        false => !c.is_control() && !c.is_whitespace(),
    };
    text.split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_remain_where_they_are_needed() {
        let table = [
            ("bob", "bob", "bob"),
            ("\"bob\"", "bob", "bob"),
            ("\"b\\o\\b\"", "bob", "bob"),
            ("\"\"", "\"\"", ""),
            ("\"b\\ b\"", "\"b b\"", "b b"),
            ("\"b\\\\b\"", "\"b\\\\b\"", "b\\b"),
            ("\"a@b\"", "\"a@b\"", "a@b"),
            ("\"a..b\"", "\"a..b\"", "a..b"),
            ("\"*\"", "*", "*"),
            ("\"a", "\"a", "\"a"),
            ("\"a\"b", "\"a\"b", "\"a\"b"),
            ("\"a\\\"", "\"a\\\"", "\"a\\\""),
            ("pele\u{301}", "pelé", "pelé"),
            ("\"pe\\le\u{301}\"", "pelé", "pelé"),
            ("\"e\u{301} \"", "\"é \"", "é "),
            ("ﬁ", "ﬁ", "ﬁ"),
        ];
        for (text, canonical, content) in table {
            assert_eq!(canonical_local_part(text), canonical, "{text}");
            assert_eq!(unquoted_local_part(text), content, "{text}");
        }
    }
}
