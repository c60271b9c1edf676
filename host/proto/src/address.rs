//! The parser for addresses (RFC 5321 §4.1.2, RFC 6531 §3.3).

use std::fmt;

use postgate_address::{ascii_domain, canonical, canonical_domain, is_literal, same};

/// `Local-part "@" ( Domain / address-literal )`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    text: Box<str>,
    at: usize,
}

impl Mailbox {
    /// Parses a mailbox.
    ///
    /// # Errors
    ///
    /// Fails unless the whole text is a mailbox.
    pub fn parse(text: &str, charset: Charset) -> Result<Self, InvalidAddress> {
        let (mailbox, rest) = parse_mailbox(text, charset)?;
        match rest {
            "" => Ok(mailbox),
            _ => Err(InvalidAddress::Syntax),
        }
    }

    /// The part before the `@`, including quotes.
    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    /// The domain or address literal, as written.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The canonical form: equal for all spellings of one mailbox, such as `"bob"@Example.org` and
    /// `bob@example.org`. Letter case in the local part is kept (RFC 5321 §2.4).
    pub fn canonical(&self) -> String {
        canonical(&self.text)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The argument of MAIL FROM, to which delivery failures are reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: the message is itself a notification (RFC 5321 §4.5.5).
    Null,
    /// A mailbox.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// Parses a path without angle brackets. An empty text is [`ReversePath::Null`].
    ///
    /// # Errors
    ///
    /// Fails unless the text is empty or a mailbox.
    pub fn parse(text: &str, charset: Charset) -> Result<Self, InvalidAddress> {
        match text {
            "" => Ok(Self::Null),
            _ => Mailbox::parse(text, charset).map(Self::Mailbox),
        }
    }

    /// The address. Empty for the null path.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Null => "",
            Self::Mailbox(mailbox) => mailbox.as_str(),
        }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

/// The argument of RCPT TO.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// A mailbox.
    Mailbox(Mailbox),
    /// `<Postmaster>` without a domain, as written (RFC 5321 §4.5.1).
    Postmaster(Box<str>),
}

impl ForwardPath {
    /// Parses a path without angle brackets.
    ///
    /// # Errors
    ///
    /// Fails unless the text is a mailbox or `postmaster`.
    pub fn parse(text: &str, charset: Charset) -> Result<Self, InvalidAddress> {
        match text.eq_ignore_ascii_case("postmaster") {
            true => Ok(Self::Postmaster(text.into())),
            false => Mailbox::parse(text, charset).map(Self::Mailbox),
        }
    }

    /// The address, which is `postmaster` if it has no domain.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Mailbox(mailbox) => mailbox.as_str(),
            Self::Postmaster(text) => text,
        }
    }

    /// The domain. Returns `None` for `<Postmaster>`.
    pub fn domain(&self) -> Option<&str> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox.domain()),
            Self::Postmaster(_) => None,
        }
    }

    /// The canonical form of the domain: A-labels in lower case, or an address literal. Returns `None`
    /// for `<Postmaster>`.
    pub fn canonical_domain(&self) -> Option<String> {
        self.domain().map(canonical_domain)
    }

    /// True if both name the same mailbox, however it is written ([`Mailbox::canonical`]).
    pub fn is_same(&self, other: &Self) -> bool {
        same(self.as_str(), other.as_str())
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

/// The characters that are allowed in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// ASCII (RFC 5321).
    Ascii,
    /// UTF-8, after SMTPUTF8 (RFC 6531).
    Utf8,
}

/// Why an address is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidAddress {
    /// There is no domain.
    NoDomain,
    /// There are characters beyond ASCII without SMTPUTF8.
    NotAscii,
    /// The syntax is invalid.
    Syntax,
    /// The path is longer than [`MAX_PATH`], or the domain longer than [`MAX_DOMAIN`].
    TooLong,
}

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDomain => "the address has no domain",
            Self::NotAscii => "the address needs SMTPUTF8",
            Self::Syntax => "the address is malformed",
            Self::TooLong => "the address is too long",
        })
    }
}

impl std::error::Error for InvalidAddress {}

/// The maximum length of a domain in octets (RFC 5321 §4.5.3.1.2).
pub const MAX_DOMAIN: usize = 255;
/// The maximum length of a path in octets, including angle brackets and source route. Every server takes
/// 256, with a local part of 64, and should have no limits where that is possible (RFC 5321 §4.5.3.1).
/// Forwarding services send longer local parts.
pub const MAX_PATH: usize = 500;

/// What may stand between the words of a command. The grammar has one space; servers are asked to
/// tolerate other white space (RFC 5321 §4.1.1).
pub(crate) const BLANKS: [char; 2] = [' ', '\t'];

/// Splits an argument after the path: `<a@b> …`, or `a@b …` as many clients send it. Returns the path
/// without brackets and source route, and what follows it.
pub(crate) fn split_path(argument: &str) -> Result<(&str, &str), InvalidAddress> {
    let Some(inner) = argument.strip_prefix('<') else {
        let end = argument.find(BLANKS).unwrap_or(argument.len());
        return Ok((&argument[..end], &argument[end..]));
    };
    let end = closing_bracket(inner).ok_or(InvalidAddress::Syntax)?;
    let (path, rest) = (&inner[..end], &inner[end + 1..]);
    if path.len() + 2 > MAX_PATH {
        return Err(InvalidAddress::TooLong);
    }
    Ok((strip_source_route(path)?, rest))
}

/// The index of the `>` that ends the path, outside of quoted strings.
fn closing_bracket(inner: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (index, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

/// Strips the source route of `@a,@b:user@d`, which is ignored (RFC 5321 §4.1.2, appendix C).
fn strip_source_route(path: &str) -> Result<&str, InvalidAddress> {
    if !path.starts_with('@') {
        return Ok(path);
    }
    let (route, path) = path.split_once(':').ok_or(InvalidAddress::Syntax)?;
    for hop in route.split(',') {
        let domain = hop.strip_prefix('@').ok_or(InvalidAddress::Syntax)?;
        match parse_domain(domain, Charset::Utf8)? {
            (_, "") => {}
            _ => return Err(InvalidAddress::Syntax),
        }
    }
    // The null path has no source route.
    match path {
        "" => Err(InvalidAddress::Syntax),
        _ => Ok(path),
    }
}

fn parse_mailbox(text: &str, charset: Charset) -> Result<(Mailbox, &str), InvalidAddress> {
    if charset == Charset::Ascii && !text.is_ascii() {
        return Err(InvalidAddress::NotAscii);
    }
    let (local, rest) = match text.as_bytes().first() {
        Some(b'"') => parse_quoted(text)?,
        _ => parse_dot_string(text)?,
    };
    let domain = match rest.strip_prefix('@') {
        Some(domain) => domain,
        None if rest.is_empty() => return Err(InvalidAddress::NoDomain),
        None => return Err(InvalidAddress::Syntax),
    };
    let (domain, rest) = match domain.starts_with('[') {
        true => parse_literal(domain)?,
        false => parse_domain(domain, charset)?,
    };
    if domain.len() > MAX_DOMAIN || local.len() + domain.len() + 3 > MAX_PATH {
        return Err(InvalidAddress::TooLong);
    }
    let mailbox = Mailbox {
        text: text[..local.len() + 1 + domain.len()].into(),
        at: local.len(),
    };
    Ok((mailbox, rest))
}

/// `Atom *("." Atom)`.
fn parse_dot_string(text: &str) -> Result<(&str, &str), InvalidAddress> {
    let end = text
        .find(|c: char| !is_atom_character(c) && c != '.')
        .unwrap_or(text.len());
    let local = &text[..end];
    match local.split('.').any(str::is_empty) {
        true => Err(InvalidAddress::Syntax),
        false => Ok((local, &text[end..])),
    }
}

fn is_atom_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_utf8_text(c)
}

/// `Quoted-string`, including quotes.
fn parse_quoted(text: &str) -> Result<(&str, &str), InvalidAddress> {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            // Only a printable ASCII character can follow the backslash (`quoted-pairSMTP`); RFC 6531
            // §3.3 extends `qtextSMTP` alone.
            c if escaped && !matches!(c, ' '..='~') => break,
            _ if escaped => escaped = false,
            c if !matches!(c, ' '..='~') && !is_utf8_text(c) => break,
            '\\' => escaped = true,
            '"' => return Ok((&text[..=index], &text[index + 1..])),
            _ => {}
        }
    }
    Err(InvalidAddress::Syntax)
}

/// `sub-domain *("." sub-domain)`. Underscores are accepted, because some host names have them.
fn parse_domain(text: &str, charset: Charset) -> Result<(&str, &str), InvalidAddress> {
    if charset == Charset::Ascii && !text.is_ascii() {
        return Err(InvalidAddress::NotAscii);
    }
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && !"-._".contains(c) && !is_utf8_text(c))
        .unwrap_or(text.len());
    let domain = &text[..end];
    // The lengths are those of the A-labels, with which the domain is looked up (RFC 6531 §3.3). What
    // has none is no domain (RFC 5890 §2.3.2.1).
    let ascii = match domain.is_ascii() {
        true => domain.into(),
        false => ascii_domain(domain).ok_or(InvalidAddress::Syntax)?,
    };
    let valid = ascii.split('.').all(|label| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    });
    match valid {
        true if ascii.len() > MAX_DOMAIN => Err(InvalidAddress::TooLong),
        true => Ok((domain, &text[end..])),
        false => Err(InvalidAddress::Syntax),
    }
}

/// `"[" ( IPv4 / "IPv6:" IPv6 ) "]"`, including brackets. No other tag is registered (RFC 5321 §4.1.3), so
/// nobody can say what such a literal means.
fn parse_literal(text: &str) -> Result<(&str, &str), InvalidAddress> {
    let end = text.find(']').ok_or(InvalidAddress::Syntax)?;
    match is_literal(&text[..=end]) {
        true => Ok((&text[..=end], &text[end + 1..])),
        false => Err(InvalidAddress::Syntax),
    }
}

fn is_utf8_text(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

#[cfg(test)]
mod tests;
