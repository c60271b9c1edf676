//! Patterns for addresses, domains and local parts, which match all spellings of what they match.

use std::fmt;

use postgate_address::{
    canonical_domain, canonical_local_part, unicode_domain, unquoted_local_part,
};
use serde::Deserialize;

use crate::pattern::{EmptyPattern, characters, covers};

/// A pattern for addresses, such as `*@example.org` or `bounce-*@*`: `*` stands for any text, `?` for
/// one character. The parts before and after the last `@` of the pattern must match the local part
/// and the domain; see [`LocalPartPattern`] and [`DomainPattern`]. Without an `@`, the pattern must match
/// the whole address. Letter case does not matter.
///
/// ```
/// # use postgate_plugin::AddressPattern;
/// let pattern = AddressPattern::new("*@bücher.example").unwrap();
/// assert!(pattern.matches("\"bob\"@xn--bcher-kva.example"));
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct AddressPattern {
    text: Box<str>,
    /// `None`: `domain` matches the whole address.
    local_part: Option<Box<[char]>>,
    domain: DomainForms,
}

impl AddressPattern {
    /// Parses a pattern, which must not be empty.
    pub fn new(text: &str) -> Result<Self, EmptyPattern> {
        let (local_part, domain) = match text.rsplit_once('@') {
            _ if text.is_empty() => return Err(EmptyPattern),
            Some((local_part, domain)) => {
                (Some(characters(&unquoted_local_part(local_part))), domain)
            }
            None => (None, text),
        };
        Ok(Self {
            text: text.into(),
            local_part,
            domain: DomainForms::new(domain),
        })
    }

    /// True if the pattern matches the address.
    pub fn matches(&self, address: &str) -> bool {
        let parts = address.rsplit_once('@');
        match (&self.local_part, parts) {
            (Some(pattern), Some((local_part, domain))) => {
                covers(pattern, &unquoted_local_part(local_part))
                    && self.domain.match_domain(domain)
            }
            (Some(_), None) => false,
            (None, Some((local_part, domain))) => {
                let local_part = canonical_local_part(local_part);
                self.domain.match_text(
                    &format!("{local_part}@{}", canonical_domain(domain)),
                    &format!("{local_part}@{}", unicode_domain(domain)),
                )
            }
            (None, None) => self.domain.match_text(address, address),
        }
    }
}

/// A pattern for domains and address literals, such as `*.example.org`. U-labels and A-labels (RFC
/// 5890 §2.3.2.1) are the same, both in the pattern and in the domain: a label of the pattern with `*`
/// or `?` is compared with both. A dot at the end and letter case do not matter.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct DomainPattern {
    text: Box<str>,
    forms: DomainForms,
}

impl DomainPattern {
    /// Parses a pattern, which must not be empty.
    pub fn new(text: &str) -> Result<Self, EmptyPattern> {
        match text {
            "" => Err(EmptyPattern),
            _ => Ok(Self {
                text: text.into(),
                forms: DomainForms::new(text),
            }),
        }
    }

    /// True if the pattern matches the domain.
    pub fn matches(&self, domain: &str) -> bool {
        self.forms.match_domain(domain)
    }
}

/// A pattern for local parts, such as `sales-*`. It is compared with the characters that the local
/// part stands for: `"bob"` is `bob` (RFC 5321 §4.1.2). Letter case does not matter.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct LocalPartPattern {
    text: Box<str>,
    characters: Box<[char]>,
}

impl LocalPartPattern {
    /// Parses a pattern, which must not be empty.
    pub fn new(text: &str) -> Result<Self, EmptyPattern> {
        match text {
            "" => Err(EmptyPattern),
            _ => Ok(Self {
                text: text.into(),
                characters: characters(&unquoted_local_part(text)),
            }),
        }
    }

    /// True if the pattern matches the local part.
    pub fn matches(&self, local_part: &str) -> bool {
        covers(&self.characters, &unquoted_local_part(local_part))
    }
}

/// The pattern of a domain, for both forms of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DomainForms {
    ascii: Box<[char]>,
    unicode: Box<[char]>,
}

impl DomainForms {
    fn new(text: &str) -> Self {
        Self {
            ascii: characters(&mapped(text, canonical_domain)),
            unicode: characters(&mapped(text, unicode_domain)),
        }
    }

    fn match_domain(&self, domain: &str) -> bool {
        self.match_text(&canonical_domain(domain), &unicode_domain(domain))
    }

    fn match_text(&self, ascii: &str, unicode: &str) -> bool {
        covers(&self.ascii, ascii) || covers(&self.unicode, unicode)
    }
}

/// The text with each label converted that has no wildcard. Address literals are converted as a whole.
fn mapped(text: &str, convert: impl Fn(&str) -> String) -> String {
    if !text.contains(['*', '?']) || text.starts_with('[') {
        return convert(text);
    }
    let labels = text.split(DOTS).map(|label| match label {
        _ if label.contains(['*', '?']) => label.to_owned(),
        label => convert(label),
    });
    let labels: Vec<_> = labels.collect();
    labels.join(".").trim_end_matches('.').to_owned()
}

/// What UTS 46 takes for a dot between labels.
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// Implements `Display` and `TryFrom<String>` by means of `text` and `new`.
macro_rules! written {
    ($($pattern:ident)*) => {$(
        impl fmt::Display for $pattern {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl TryFrom<String> for $pattern {
            type Error = EmptyPattern;

            fn try_from(text: String) -> Result<Self, EmptyPattern> {
                Self::new(&text)
            }
        }
    )*};
}

written!(AddressPattern DomainPattern LocalPartPattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table = [
            ("*@example.org", "a@Example.ORG", true),
            ("*@example.org.", "a@example.org", true),
            ("*@example.org", "a@example.org.evil", false),
            ("*@example.org", "\"a@b\"@example.org", true),
            ("friend@*", "\"friend@x\"@evil.example", false),
            ("bob@d", "\"b\\ob\"@d", true),
            ("\"bob\"@d", "Bob@d", true),
            ("b*@d", "\"b b\"@d", true),
            ("*@bücher.example", "a@xn--bcher-kva.example", true),
            ("*@xn--bcher-kva.example", "a@BÜCHER。example", true),
            ("*@*.bücher.example", "a@mx.xn--bcher-kva.example", true),
            ("*@büch*.example", "a@xn--bcher-kva.example", true),
            ("*@xn--*.example", "a@bücher.example", true),
            ("*@xn--*.example", "a@example", false),
            ("*@[127.0.0.1]", "a@[IPv6:::ffff:127.0.0.1]", true),
            ("*@[IPv6:2001:DB8:*", "a@[ipv6:2001:0db8::1]", true),
            ("*", "a@b", true),
            ("*bücher.example", "a@xn--bcher-kva.example", true),
            ("*.bücher.example", "a@mx.xn--bcher-kva.example", true),
            ("b*", "\"bob\"@d", true),
            ("postmaster", "Postmaster", true),
            ("postmaster@*", "Postmaster", false),
            ("@d", "a@d", false),
        ];
        for (pattern, address, expected) in table {
            let matches = AddressPattern::new(pattern).unwrap().matches(address);
            assert_eq!(matches, expected, "{pattern} {address}");
        }
        assert_eq!(AddressPattern::new(""), Err(EmptyPattern));
    }

    #[test]
    fn domains() {
        let table = [
            ("*.example.org", "mx.Example.org.", true),
            ("*.example.org", "example.org", false),
            ("under_score.*", "under_score.example", true),
            ("[192.0.2.*]", "[192.0.2.7]", true),
            ("it's me", "It's me", true),
            ("faß.example", "fass.example", false),
            (".", "", true),
        ];
        for (pattern, domain, expected) in table {
            let matches = DomainPattern::new(pattern).unwrap().matches(domain);
            assert_eq!(matches, expected, "{pattern} {domain}");
        }
        assert_eq!(DomainPattern::new(""), Err(EmptyPattern));
    }

    #[test]
    fn local_parts() {
        let table = [
            ("sales-*", "\"Sales-North\"", true),
            ("\"sales-*\"", "sales-north", true),
            ("sales", "\"sales \"", false),
        ];
        for (pattern, local_part, expected) in table {
            let matches = LocalPartPattern::new(pattern).unwrap().matches(local_part);
            assert_eq!(matches, expected, "{pattern} {local_part}");
        }
        assert_eq!(LocalPartPattern::new(""), Err(EmptyPattern));
    }
}
