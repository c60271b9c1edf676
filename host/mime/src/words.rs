//! Encoded words (RFC 2047) and encoded parameter values (RFC 2231) in every reading.

use super::charset::Charset;
use super::parameter::is_blank;
use super::transfer::Transfer;

/// Adds the text in which encoded words are decoded, if there are any. Programs decode them one by
/// one, or join the encoded texts of adjacent words first, and keep or skip what is between them.
/// Returns false if they may disagree on a charset.
pub(super) fn decode_words(text: &str, found: &mut Vec<String>) -> bool {
    let pieces = split(text);
    if pieces.iter().all(|piece| matches!(piece, Piece::Text(_))) {
        return true;
    }
    let is_certain = pieces.iter().all(|piece| match piece {
        Piece::Text(_) => true,
        Piece::Word(word) => Charset::is_certain(word.charset),
    });
    let (mut apart, mut joined) = (String::new(), String::new());
    let mut pieces = pieces.as_slice();
    while let [first, rest @ ..] = pieces {
        pieces = rest;
        let Piece::Word(word) = first else {
            if let Piece::Text(text) = first {
                apart.push_str(text);
                joined.push_str(text);
            }
            continue;
        };
        apart.push_str(&convert(word.charset, &word.octets(word.body)));
        let mut bodies = word.body.to_owned();
        while let [Piece::Word(next), rest @ ..] = pieces
            && next.charset.eq_ignore_ascii_case(word.charset)
            && next.is_base64 == word.is_base64
        {
            apart.push_str(&convert(next.charset, &next.octets(next.body)));
            bodies.push_str(next.body);
            pieces = rest;
        }
        joined.push_str(&convert(word.charset, &word.octets(&bodies)));
    }
    found.extend([apart, joined]);
    is_certain
}

/// True if a text has encoded words.
pub(super) fn has_words(text: &str) -> bool {
    split(text).iter().any(|it| matches!(it, Piece::Word(_)))
}

/// Decodes an encoded value: charset and language in front of two apostrophes, and octets as
/// hexadecimal digits (RFC 2231 §4). Without apostrophes, the charset is UTF-8. Returns the text, and false
/// if programs may disagree on its charset.
pub(super) fn decode_extended(value: &str) -> (String, bool) {
    let mut pieces = value.splitn(3, '\'');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(charset), Some(_), Some(text)) => {
            let charset = charset.trim_matches(is_blank);
            let text = convert(charset, &percent_decode(text));
            (text, Charset::is_certain(charset))
        }
        _ => (convert("utf-8", &percent_decode(value)), true),
    }
}

/// The octets of a text in which some are written as a percent sign and two digits.
pub(super) fn percent_decode(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after
            .get(..2)
            .and_then(|digits| str::from_utf8(digits).ok());
        let octet = digits
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match octet {
            Some(octet) if *first == b'%' => {
                octets.push(octet);
                rest = &after[2..];
            }
            _ => {
                octets.push(*first);
                rest = after;
            }
        }
    }
    octets
}

enum Piece<'a> {
    Text(&'a str),
    Word(Word<'a>),
}

struct Word<'a> {
    charset: &'a str,
    is_base64: bool,
    body: &'a str,
}

impl Word<'_> {
    fn octets(&self, body: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut transfer = Transfer::of(match self.is_base64 {
            true => "base64",
            false => "quoted-printable",
        });
        match self.is_base64 {
            true => transfer.feed(body.as_bytes(), &mut out),
            false => transfer.feed(body.replace('_', "=20").as_bytes(), &mut out),
        }
        transfer.finish(&mut out);
        out
    }
}

/// Divides a text into encoded words and what is between them. White space between two words does
/// not count (RFC 2047 §6.2). A word may lack its end.
fn split(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = rest[from..].find("=?").map(|at| at + from) {
        let Some((word, after)) = word(&rest[at + 2..]) else {
            from = at + 2;
            continue;
        };
        let is_between = matches!(pieces.last(), Some(Piece::Word(_)));
        if !(is_between && rest[..at].trim().is_empty()) {
            pieces.push(Piece::Text(&rest[..at]));
        }
        pieces.push(Piece::Word(word));
        (rest, from) = (after, 0);
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Splits off a word whose `=?` was read.
fn word(text: &str) -> Option<(Word<'_>, &str)> {
    let (charset, text) = text.split_once('?')?;
    let (encoding, text) = text.split_once('?')?;
    let is_base64 = match encoding.trim_matches(is_blank) {
        "B" | "b" => true,
        "Q" | "q" => false,
        _ => return None,
    };
    let (body, after) = text.split_once("?=").unwrap_or((text, ""));
    let word = Word {
        // RFC 2231 §5: a language may follow the charset.
        charset: charset
            .split('*')
            .next()
            .unwrap_or_default()
            .trim_matches(is_blank),
        is_base64,
        body,
    };
    Some((word, after))
}

fn convert(charset: &str, octets: &[u8]) -> String {
    let mut out = Vec::new();
    Charset::of(Some(charset)).feed(octets, &mut out, true);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_decoded_apart_and_joined() {
        let table: [(&str, &[&str]); 15] = [
            ("=??q?a.exe?=", &["a.exe", "a.exe"]),
            ("=?utf-8 ?q?a.exe?=", &["a.exe", "a.exe"]),
            ("=?\t?q ?a.exe?=", &["a.exe", "a.exe"]),
            ("=?\u{a0}utf-8?b?YS5leGU?=", &["a.exe", "a.exe"]),
            ("=?utf-8?b?Y=S5leGU=?=", &["a.exe", "a.exe"]),
            ("plain.exe", &[]),
            ("=?utf-8?q?a.exe?=", &["a.exe", "a.exe"]),
            ("=?utf-8?Q?a=2Ee?= =?UTF-8?q?xe?=", &["a.exe", "a.exe"]),
            ("=?utf-8?b?YS5leGU=?=", &["a.exe", "a.exe"]),
            // A group of base64 digits is divided between two words.
            ("=?utf-8?b?YS5l?==?utf-8?b?eGU=?=", &["a.exe", "a.exe"]),
            ("=?utf-8?b?YS5le?= =?utf-8?b?GU=?=", &["a.e\u{19}", "a.exe"]),
            ("=?utf-8*en?q?a_b?=.exe", &["a b.exe", "a b.exe"]),
            ("=?utf-8?q?a.exe", &["a.exe", "a.exe"]),
            ("x =?utf-16be?b?AC4AZQB4AGU=?=", &["x .exe", "x .exe"]),
            ("=?utf-8?x?a?=", &[]),
        ];
        for (text, expected) in table {
            let mut found = Vec::new();
            decode_words(text, &mut found);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn encoded_values_are_decoded() {
        let table = [
            ("utf-8''a%2Eexe", "a.exe"),
            ("iso-8859-1'en'%E9.exe", "\u{e9}.exe"),
            ("utf-16be''%00a%00.", "a."),
            ("a%2eexe", "a.exe"),
            ("utf-8''100%.exe", "100%.exe"),
            ("utf-8'a", "utf-8'a"),
            ("%+1", "%+1"),
        ];
        for (value, expected) in table {
            let expected = (expected.to_owned(), true);
            assert_eq!(decode_extended(value), expected, "{value}");
        }
    }
}
