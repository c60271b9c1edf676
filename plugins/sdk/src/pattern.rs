//! Patterns as operators write them: `*` stands for any text, `?` for one character.

use std::fmt;

use serde::Deserialize;

/// A pattern for any text, such as `sales-*`. Letter case does not matter. For addresses, there is
/// [`AddressPattern`](crate::AddressPattern); for domains, [`DomainPattern`](crate::DomainPattern);
/// for local parts, [`LocalPartPattern`](crate::LocalPartPattern).
///
/// ```
/// # use postgate_plugin::Pattern;
/// let pattern = Pattern::new("sales-*").unwrap();
/// assert!(pattern.matches("Sales-North"));
/// assert!(!pattern.matches("presales-north"));
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Pattern(Box<[char]>);

impl Pattern {
    /// Parses a pattern, which must not be empty.
    pub fn new(text: &str) -> Result<Self, EmptyPattern> {
        match text {
            "" => Err(EmptyPattern),
            _ => Ok(Self(characters(text))),
        }
    }

    /// True if the pattern matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        covers(&self.0, text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|c| write!(f, "{c}"))
    }
}

impl TryFrom<String> for Pattern {
    type Error = EmptyPattern;

    fn try_from(text: String) -> Result<Self, EmptyPattern> {
        Self::new(&text)
    }
}

/// A pattern was empty, which is more likely a mistake than a pattern that should match nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyPattern;

impl fmt::Display for EmptyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pattern must not be empty")
    }
}

impl std::error::Error for EmptyPattern {}

/// The characters of a pattern, which may be empty, for [`covers`].
pub(crate) fn characters(pattern: &str) -> Box<[char]> {
    pattern.to_lowercase().chars().collect()
}

/// True if the characters of a pattern match the whole text. Letter case does not matter.
pub(crate) fn covers(pattern: &[char], text: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut rest, mut at) = (pattern, 0);
    // Where to resume if the text after the last star does not match: only that star has to match
    // more, so the time is bounded by the product of both lengths.
    let mut retry: Option<(&[char], usize)> = None;
    loop {
        match (rest.split_first(), text.get(at)) {
            (Some(('*', after)), _) => {
                retry = Some((after, at));
                rest = after;
            }
            (Some((expected, after)), Some(found)) if *expected == '?' || expected == found => {
                rest = after;
                at += 1;
            }
            (None, None) => return true,
            _ => match retry {
                Some((after, start)) if start < text.len() => {
                    retry = Some((after, start + 1));
                    rest = after;
                    at = start + 1;
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_cover_the_whole_text() {
        let table = [
            ("a", "a", true),
            ("a", "A", true),
            ("É*", "étoile", true),
            ("a", "ab", false),
            ("a", "", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYcZ", false),
            ("*@example.org", "a@example.org", true),
            ("*@example.org", "a@example.org.evil", false),
            ("?", "", false),
            ("?", "é", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("**", "x", true),
        ];
        for (pattern, text, expected) in table {
            let matches = Pattern::new(pattern).unwrap().matches(text);
            assert_eq!(matches, expected, "{pattern} {text}");
        }
        assert_eq!(Pattern::new(""), Err(EmptyPattern));
    }

    /// A reference implementation that ignores running time.
    fn reference(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', after)), _) => {
                (0..=text.len()).any(|skipped| reference(after, &text[skipped..]))
            }
            (Some(('?', after)), Some((_, rest))) => reference(after, rest),
            (Some((expected, after)), Some((found, rest))) => {
                expected == found && reference(after, rest)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_it_means(pattern in "[ab*?]{1,8}", text in "[ab]{0,10}") {
            let expected = reference(
                &pattern.chars().collect::<Vec<_>>(),
                &text.chars().collect::<Vec<_>>(),
            );
            prop_assert_eq!(Pattern::new(&pattern).unwrap().matches(&text), expected);
        }
    }
}
