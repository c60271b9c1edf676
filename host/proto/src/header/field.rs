//! Names and values of new header fields, and their folding (RFC 5322 §2.2).

use std::fmt;

/// The name of a header field: 1 to [`MAX_HEADER_NAME`] visible ASCII characters except colons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(Box<str>);

impl HeaderName {
    /// Checks a field name.
    ///
    /// # Errors
    ///
    /// Fails if the name has the wrong length or an invalid character.
    pub fn new(text: &str) -> Result<Self, InvalidHeader> {
        match text.len() {
            0 => Err(InvalidHeader::EmptyName),
            1..=MAX_HEADER_NAME if text.bytes().all(is_name_byte) => Ok(Self(text.into())),
            1..=MAX_HEADER_NAME => Err(InvalidHeader::NameCharacter),
            _ => Err(InvalidHeader::LongName),
        }
    }

    /// The name, as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The unfolded value of a header field: at most [`MAX_HEADER_VALUE`] octets in any charset, without
/// CR, LF, NUL, and white space at its ends.
///
/// It can always be folded: no word, including the white space before it, is longer than
/// [`MAX_HEADER_WORD`] octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderValue(Box<[u8]>);

impl HeaderValue {
    /// Checks a value. White space at its ends is removed.
    ///
    /// # Errors
    ///
    /// Fails if the value or a word of it is too long, or if it holds CR, LF or NUL.
    pub fn new(octets: &[u8]) -> Result<Self, InvalidHeader> {
        let octets = trim(octets);
        if octets.len() > MAX_HEADER_VALUE {
            return Err(InvalidHeader::LongValue);
        }
        if octets
            .iter()
            .any(|octet| matches!(octet, b'\r' | b'\n' | 0))
        {
            return Err(InvalidHeader::ValueCharacter);
        }
        if words(octets).any(|word| word.len() > MAX_HEADER_WORD) {
            return Err(InvalidHeader::LongWord);
        }
        Ok(Self(octets.into()))
    }

    /// The unfolded value.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why a header field is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidHeader {
    /// The name is empty.
    EmptyName,
    /// The name is longer than [`MAX_HEADER_NAME`] octets.
    LongName,
    /// The value is longer than [`MAX_HEADER_VALUE`] octets.
    LongValue,
    /// A word of the value is longer than [`MAX_HEADER_WORD`] octets: a line of the folded field could
    /// exceed 998 octets (RFC 5322 §2.1.1).
    LongWord,
    /// The name holds a colon, or a character other than visible ASCII.
    NameCharacter,
    /// The value holds CR, LF or NUL.
    ValueCharacter,
}

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyName => f.write_str("the header name is empty"),
            Self::LongName => {
                write!(f, "the header name is longer than {MAX_HEADER_NAME} octets")
            }
            Self::LongValue => {
                write!(
                    f,
                    "the header value is longer than {MAX_HEADER_VALUE} octets"
                )
            }
            Self::LongWord => write!(
                f,
                "the header value has more than {MAX_HEADER_WORD} octets without white space"
            ),
            Self::NameCharacter => {
                f.write_str("the header name holds something else than visible ascii")
            }
            Self::ValueCharacter => f.write_str("the header value holds cr, lf or nul"),
        }
    }
}

impl std::error::Error for InvalidHeader {}

/// The maximum length of a name in octets. With its colon it does not exceed 78 octets.
pub const MAX_HEADER_NAME: usize = 77;
/// The maximum length of a value in octets.
pub const MAX_HEADER_VALUE: usize = 64 * 1024;
/// The maximum length of a word of a value in octets, including the white space before it. Together with
/// the longest name it does not exceed the 998 octets of RFC 5322 §2.1.1.
pub const MAX_HEADER_WORD: usize = 900;

/// Appends a field, including its final CRLF. Lines longer than `FOLD_AT` octets are folded at white
/// space, but not before the first word.
pub(super) fn write_field(name: &[u8], value: &HeaderValue, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.push(b':');
    let mut column = name.len() + 1;
    for (index, word) in words(value.as_bytes()).enumerate() {
        if index == 0 {
            out.push(b' ');
            column += 1;
        } else if column + word.len() > FOLD_AT {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.extend_from_slice(word);
        column += word.len();
    }
    out.extend_from_slice(b"\r\n");
}

/// True for characters of a field name (RFC 5322 §2.2).
pub(super) const fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && byte != b':'
}

pub(super) const fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Removes white space and line breaks at both ends.
pub(super) fn trim(octets: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let Some(start) = octets.iter().position(is_text) else {
        return &[];
    };
    let end = octets
        .iter()
        .rposition(is_text)
        .map_or(start, |last| last + 1);
    &octets[start..end]
}

/// The recommended maximum length of a line in octets (RFC 5322 §2.1.1).
const FOLD_AT: usize = 78;

/// Splits a trimmed value into words, each with the white space before it.
fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| !is_white_space(*byte))?;
        let end = rest[start..].iter().position(|byte| is_white_space(*byte));
        let (word, left) = rest.split_at(end.map_or(rest.len(), |length| start + length));
        rest = left;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(name: &str, value: &[u8]) -> String {
        let mut out = Vec::new();
        write_field(name.as_bytes(), &HeaderValue::new(value).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names() {
        let longest = "n".repeat(MAX_HEADER_NAME);
        let longer = "n".repeat(MAX_HEADER_NAME + 1);
        let table = [
            ("Subject", Ok(())),
            ("X-!#$%&'*+/=?^_`{|}~", Ok(())),
            (longest.as_str(), Ok(())),
            (longer.as_str(), Err(InvalidHeader::LongName)),
            ("", Err(InvalidHeader::EmptyName)),
            ("a:", Err(InvalidHeader::NameCharacter)),
            ("a b", Err(InvalidHeader::NameCharacter)),
            ("a\r\nb", Err(InvalidHeader::NameCharacter)),
            ("é", Err(InvalidHeader::NameCharacter)),
        ];
        for (name, expected) in table {
            assert_eq!(HeaderName::new(name).map(drop), expected, "{name:?}");
        }
    }

    #[test]
    fn values() {
        let word = vec![b'w'; MAX_HEADER_WORD];
        let long_word = vec![b'w'; MAX_HEADER_WORD + 1];
        let gap = [b"a".as_slice(), &[b' '; MAX_HEADER_WORD], b"b"].concat();
        let long = b"word ".repeat(MAX_HEADER_VALUE / 5 + 1);
        let table: [(&[u8], Option<InvalidHeader>); 7] = [
            (b"text", None),
            (b"", None),
            (b"\xff\x01", None),
            (&word, None),
            (&long_word, Some(InvalidHeader::LongWord)),
            (&gap, Some(InvalidHeader::LongWord)),
            (&long, Some(InvalidHeader::LongValue)),
        ];
        for (value, expected) in table {
            let shown = value.escape_ascii();
            match HeaderValue::new(value) {
                Ok(made) => assert_eq!((made.as_bytes(), None), (value, expected), "{shown}"),
                Err(error) => assert_eq!(Some(error), expected, "{shown}"),
            }
        }
        for harmful in *b"\r\n\0" {
            let error = HeaderValue::new(&[b'a', harmful, b'b']).unwrap_err();
            assert_eq!(error, InvalidHeader::ValueCharacter);
        }
        assert_eq!(HeaderValue::new(b" \ttext \t").unwrap().as_bytes(), b"text");
    }

    #[test]
    fn folding() {
        let word = "w".repeat(80);
        let first = "f".repeat(71);
        let table = [
            ("A", "b".to_owned(), "A: b\r\n".to_owned()),
            ("A", String::new(), "A:\r\n".to_owned()),
            (
                "A",
                format!("b {word} c"),
                format!("A: b\r\n {word}\r\n c\r\n"),
            ),
            ("A", word.clone(), format!("A: {word}\r\n")),
            // 78 octets are not folded, and white space is kept.
            ("A", format!("{first} \td"), format!("A: {first} \td\r\n")),
            (
                "A",
                format!("{first} \t  d"),
                format!("A: {first}\r\n \t  d\r\n"),
            ),
        ];
        for (name, value, expected) in table {
            assert_eq!(folded(name, value.as_bytes()), expected, "{value:?}");
        }
    }
}
