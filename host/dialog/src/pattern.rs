//! Patterns for reply lines.

use std::fmt;

/// A pattern for a line, in which each `…` matches any text, including none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern as written in a dialog.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// True if a line without its CRLF matches.
    pub fn matches(&self, line: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('…') else {
            return self.0 == line;
        };
        let (middle, last) = rest.rsplit_once('…').unwrap_or(("", rest));
        let inner = line
            .strip_prefix(first)
            .and_then(|line| line.strip_suffix(last));
        let Some(mut inner) = inner else {
            return false;
        };
        middle.split('…').all(|piece| {
            let found = inner.find(piece).map(|at| &inner[at + piece.len()..]);
            inner = found.unwrap_or_default();
            found.is_some()
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_any_text() {
        let table = [
            ("250 ok", "250 ok", true),
            ("250 ok", "250 ok ", false),
            ("250 ok", "250 o", false),
            ("250 …", "250 anything at all", true),
            ("250 …", "250 ", true),
            ("250 …", "251 ", false),
            ("250 … id", "250 an id is an id", true),
            ("250 … id", "250 an id is an ides", false),
            ("250 …a…b", "250 xaybzb", true),
            ("250 …a…b", "250 b a", false),
            ("ab…bc", "abc", false),
        ];
        for (pattern, line, expected) in table {
            assert_eq!(
                Pattern::new(pattern).matches(line),
                expected,
                "{pattern} {line}"
            );
        }
    }
}
