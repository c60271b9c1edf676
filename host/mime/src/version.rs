//! The MIME-Version field (RFC 2045 §4).

/// The value of a MIME-Version field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MimeVersion {
    /// The version, `1.0` in practice.
    pub version: String,
    /// The comment before it, without parentheses.
    pub comment_before: Option<String>,
    /// The comment after it, or within it, without parentheses.
    pub comment_after: Option<String>,
}

impl MimeVersion {
    /// Parses the unfolded value of the field. Returns `None` if its syntax is wrong.
    pub fn parse(value: &str) -> Option<Self> {
        let mut version = Self::default();
        let mut rest = value.trim();
        while let Some(next) = rest.chars().next() {
            if next == '(' {
                let (comment, after) = comment(rest)?;
                let slot = match version.version.is_empty() {
                    true => &mut version.comment_before,
                    false => &mut version.comment_after,
                };
                slot.get_or_insert(comment);
                rest = after;
                continue;
            }
            if !next.is_whitespace() {
                version.version.push(next);
            }
            rest = &rest[next.len_utf8()..];
        }
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (major, minor) = version.version.split_once('.')?;
        (is_number(major) && is_number(minor)).then_some(version)
    }
}

/// Splits off a comment, which may contain others (RFC 5322 §3.2.2). Returns its text and the rest.
fn comment(text: &str) -> Option<(String, &str)> {
    let mut depth = 0;
    let mut inner = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => inner.push(characters.next()?.1),
            '(' => {
                depth += 1;
                if depth > 1 {
                    inner.push('(');
                }
            }
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some((inner.trim().to_owned(), &text[index + 1..]));
                }
                inner.push(')');
            }
            other => inner.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_and_without_comments() {
        // The first four are the examples of RFC 2045 §4.
        let table = [
            ("1.0", Some(("1.0", None, None))),
            (
                "1.0 (produced by MetaSend Vx.x)",
                Some(("1.0", None, Some("produced by MetaSend Vx.x"))),
            ),
            (
                "(produced by MetaSend Vx.x) 1.0",
                Some(("1.0", Some("produced by MetaSend Vx.x"), None)),
            ),
            (
                "1.(produced by MetaSend Vx.x)0",
                Some(("1.0", None, Some("produced by MetaSend Vx.x"))),
            ),
            (
                "(a (b) \\)c) 1 . 0 (d)",
                Some(("1.0", Some("a (b) )c"), Some("d"))),
            ),
            ("", None),
            ("1", None),
            ("1.x", None),
            ("one", None),
            ("(open 1.0", None),
            ("1.0 (open \\", None),
        ];
        for (value, expected) in table {
            let expected = expected.map(
                |(version, before, after): (&str, Option<&str>, Option<&str>)| MimeVersion {
                    version: version.into(),
                    comment_before: before.map(Into::into),
                    comment_after: after.map(Into::into),
                },
            );
            assert_eq!(MimeVersion::parse(value), expected, "{value}");
        }
    }
}
