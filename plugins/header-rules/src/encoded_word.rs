//! Encoded words (RFC 2047) in values of header fields, as mail programs decode them: leniently.

use std::iter;

use crate::charset::{self, Fallback};

/// How programs decode adjacent encoded words in one charset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joining {
    /// They decode each, and put the octets together: a character may be cut in two.
    Octets,
    /// They put the encoded texts together: a group of base64 digits may be cut, too.
    Texts,
}

/// Decodes the encoded words of an unfolded value, wherever they are: many programs also decode them in
/// quoted strings, in comments and within words, where RFC 2047 §5 has none.
pub(crate) fn decode(value: &str, fallback: Fallback, joining: Joining) -> String {
    let mut decoded = String::with_capacity(value.len());
    for piece in pieces(value) {
        match piece {
            Piece::Run(run) => decoded.push_str(&charset::decode(
                &run.charset,
                &run.octets(joining),
                fallback,
            )),
            Piece::Text(text) => decoded.push_str(text),
        }
    }
    decoded
}

/// True if each encoded word is written as all programs know it, and its charset is known and has a
/// character for all of its octets.
pub(crate) fn is_sound(value: &str) -> bool {
    pieces(value).iter().all(|piece| match piece {
        Piece::Run(run) => {
            run.words.iter().all(Word::is_regular)
                && charset::is_sound(&run.charset, &run.octets(Joining::Octets))
        }
        Piece::Text(_) => true,
    })
}

/// Text, or adjacent encoded words in one charset.
enum Piece<'a> {
    Run(Run<'a>),
    Text(&'a str),
}

fn pieces(value: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = value;
    while let Some((before, word, after)) = next_word(rest) {
        rest = after;
        // White space between two encoded words is not part of the text (RFC 2047 §6.2).
        let is_adjacent =
            matches!(pieces.last(), Some(Piece::Run(_))) && before.chars().all(char::is_whitespace);
        if !is_adjacent {
            pieces.push(Piece::Text(before));
        }
        match pieces.last_mut() {
            Some(Piece::Run(open)) if open.charset == word.charset => open.words.extend(word.words),
            _ => pieces.push(Piece::Run(word)),
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Adjacent encoded words in one charset.
struct Run<'a> {
    charset: String,
    words: Vec<Word<'a>>,
}

impl Run<'_> {
    fn octets(&self, joining: Joining) -> Vec<u8> {
        match joining {
            Joining::Texts if self.words.iter().all(|word| word.is_base64) => {
                let texts: String = self.words.iter().map(|word| word.text).collect();
                base64(&texts).0
            }
            _ => self.words.iter().flat_map(Word::octets).collect(),
        }
    }
}

/// An encoded word without its charset.
struct Word<'a> {
    is_base64: bool,
    /// True if it has its delimiters, a charset, and nothing around them.
    is_complete: bool,
    text: &'a str,
}

impl Word<'_> {
    fn octets(&self) -> Vec<u8> {
        match self.is_base64 {
            true => base64(self.text).0,
            false => quoted(self.text),
        }
    }

    /// True if programs need no leniency to decode the word.
    fn is_regular(&self) -> bool {
        self.is_complete && (!self.is_base64 || base64(self.text).1)
    }
}

/// Finds the first encoded word. Returns it with the text before and after it.
fn next_word(text: &str) -> Option<(&str, Run<'_>, &str)> {
    text.match_indices("=?").find_map(|(start, _)| {
        let (word, after) = take_word(&text[start..])?;
        Some((&text[..start], word, after))
    })
}

/// Parses `=?charset?encoding?text?=` at the start of a text. Some programs need no charset and no end,
/// and skip white space.
fn take_word(text: &str) -> Option<(Run<'_>, &str)> {
    let mut parts = text.strip_prefix("=?")?.splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_blank = |c: char| c.is_whitespace() || c.is_control();
    let is_base64 = match encoding.trim_matches(is_blank) {
        "B" | "b" => true,
        "Q" | "q" => false,
        _ => return None,
    };
    // RFC 2231 §5 lets a language follow the charset.
    let label = charset.split('*').next()?.trim_matches(is_blank);
    if label.contains(is_blank) {
        return None;
    }
    let (text, after) = rest.split_once("?=").unwrap_or((rest, ""));
    let is_whole = text.len() < rest.len();
    let words = vec![Word {
        is_base64,
        is_complete: is_whole
            && !label.is_empty()
            && encoding.len() == 1
            && !charset.contains(is_blank),
        text,
    }];
    let charset = label.to_ascii_lowercase();
    Some((Run { charset, words }, after))
}

/// Decodes base64. Other characters are skipped, also equals signs that fill no group of four digits, and
/// padding may be absent or followed by more. Returns false with the octets if anything but whole groups
/// with their padding is there.
fn base64(text: &str) -> (Vec<u8>, bool) {
    let mut octets = Vec::with_capacity(text.len());
    let mut bits = 0_u32;
    // The digits and the equals signs of the current group.
    let (mut count, mut signs) = (0, 0);
    let (mut is_regular, mut is_padded) = (true, false);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                is_regular &= count >= 2;
                signs += u32::from(count >= 2);
                if count + signs == 4 {
                    // What follows padding is encoded anew.
                    (count, signs, is_padded) = (0, 0, true);
                }
                continue;
            }
            _ => {
                is_regular = false;
                continue;
            }
        };
        is_regular &= !is_padded && signs == 0 && !matches!(byte, b'-' | b'_');
        signs = 0;
        bits = bits << 6 | u32::from(digit);
        count += 1;
        if count > 1 {
            octets.push((bits >> (8 - 2 * count)) as u8);
        }
        count %= 4;
    }
    (octets, is_regular && count != 1)
}

/// Decodes the encoding Q (RFC 2047 §4.2). A `=` that two hexadecimal digits do not follow is itself.
fn quoted(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        let octet = match (byte, after) {
            (b'_', _) => b' ',
            (b'=', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'=',
            },
            (byte, _) => *byte,
        };
        octets.extend(iter::once(octet));
    }
    octets
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_decoded_where_they_can_be() {
        let table = [
            ("plain", "plain"),
            ("=?UTF-8?B?bG90dGVyeQ==?=", "lottery"),
            ("=?UTF-8?b?bG90dGVyeQ?=", "lottery"),
            ("=?utf-8?B?bG90 dGVy\teQ==?=", "lottery"),
            ("=?utf-8?B?bG90%dGVyeQ==?=", "lottery"),
            ("=?utf-8?B?bG8=dHRlcnk=?=", "lottery"),
            ("=?utf-8?q?l=6Fttery_now?=", "lottery now"),
            ("=?utf-8?q?lottery now?=", "lottery now"),
            ("=?iso-8859-1?Q?caf=E9?=", "café"),
            ("=?ISO-8859-15?Q?=A4?=", "€"),
            ("=?koi8-r?Q?=CC?=", "л"),
            ("=?utf-8*en?Q?caf=C3=A9?= open", "café open"),
            ("=?utf-8?Q?lot?= =?utf-8?Q?tery?=", "lottery"),
            ("=?utf-8?Q?lot?==?UTF-8?b?dGVyeQ?=", "lottery"),
            ("=?utf-8?Q?lot?= \t =?us-ascii?Q?tery?=", "lottery"),
            ("=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=", "café"),
            ("=?utf-8?B?w?= =?utf-8?B?6k=?=", "\u{fffd}"),
            ("=?utf-8?Q?lot?= of =?utf-8?Q?tery?=", "lot of tery"),
            ("lot=?utf-8?Q?te?=ry", "lottery"),
            ("\"=?utf-8?Q?lottery?=\" <a@b>", "\"lottery\" <a@b>"),
            ("(=?utf-8?Q?lottery?=)", "(lottery)"),
            ("  =?utf-8?Q?a?=", "  a"),
            ("=?utf-8?Q?a=FFb?=", "a\u{fffd}b"),
            ("=?utf-8?Q?a=4?=", "a=4"),
            ("=?utf-8?Q??=", ""),
            ("=?nonsense?Q?a?=", "a"),
            ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
            ("=??Q?a?=", "a"),
            ("=?=?utf-8?Q?a?=", "=?a"),
            ("=?", "=?"),
            ("a =? b", "a =? b"),
        ];
        for (value, expected) in table {
            let found = decode(value, Fallback::Replace, Joining::Octets);
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn encoded_texts_are_joined_before_they_are_decoded() {
        let table = [
            ("=?utf-8?B?bG90d?= =?utf-8?B?GVyeQ==?=", "lottery"),
            ("=?utf-8?B?bG90?= =?utf-8?B?dGVyeQ==?=", "lottery"),
            ("=?utf-8?B?bG90?= =?utf-8?Q?tery?=", "lottery"),
            ("=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=", "café"),
        ];
        for (value, expected) in table {
            let found = decode(value, Fallback::Replace, Joining::Texts);
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn words_that_nobody_can_read_are_known() {
        let table = [
            ("plain", true),
            ("=?utf-8?Q?caf=C3=A9?=", true),
            ("=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=", true),
            ("=?iso-8859-1?Q?caf=E9?=", true),
            ("=?utf-7?Q?caf+AOk-?=", true),
            ("=?utf-8?Q?caf=E9?=", false),
            ("=?utf-8?Q?a?= =?utf-8?Q?=FF?=", false),
            ("=?cp037?B?k5ajo4WZqA==?=", false),
            ("=?nonsense?Q?a?=", false),
        ];
        for (value, expected) in table {
            assert_eq!(is_sound(value), expected, "{value}");
        }
    }
}
