//! Encoded words (RFC 2047) in values of header fields, as mail programs decode them: leniently.

use std::iter;

use crate::charset::{self, Fallback};

/// Decodes the encoded words of an unfolded value, wherever they are: many programs also decode them in
/// quoted strings, in comments and within words, where RFC 2047 §5 has none.
pub(crate) fn decode(value: &str, fallback: Fallback) -> String {
    let mut decoded = String::with_capacity(value.len());
    let mut run: Option<Run> = None;
    let mut rest = value;
    while let Some((before, word, after)) = next_word(rest) {
        rest = after;
        // White space between two encoded words is not part of the text (RFC 2047 §6.2).
        let is_adjacent = run.is_some() && before.chars().all(char::is_whitespace);
        run = match run.take() {
            // Programs that cut a text at a fixed length may cut a character in two.
            Some(open) if is_adjacent && open.charset == word.charset => Some(open.joined(word)),
            open => {
                decoded.extend(open.map(|open| open.text(fallback)));
                decoded.push_str(if is_adjacent { "" } else { before });
                Some(word)
            }
        };
    }
    decoded.extend(run.map(|run| run.text(fallback)));
    decoded.push_str(rest);
    decoded
}

/// The octets of adjacent encoded words in one charset.
struct Run {
    charset: String,
    octets: Vec<u8>,
}

impl Run {
    fn joined(mut self, word: Self) -> Self {
        self.octets.extend(word.octets);
        self
    }

    fn text(self, fallback: Fallback) -> String {
        charset::decode(&self.charset, &self.octets, fallback)
    }
}

/// Finds the first encoded word. Returns it with the text before and after it.
fn next_word(text: &str) -> Option<(&str, Run, &str)> {
    text.match_indices("=?").find_map(|(start, _)| {
        let (word, after) = take_word(&text[start..])?;
        Some((&text[..start], word, after))
    })
}

/// Parses `=?charset?encoding?text?=` at the start of a text.
fn take_word(text: &str) -> Option<(Run, &str)> {
    let mut parts = text.strip_prefix("=?")?.splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (encoded, after) = rest.split_once("?=")?;
    if charset.is_empty() || charset.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let octets = match encoding {
        "B" | "b" => base64(encoded),
        "Q" | "q" => quoted(encoded),
        _ => return None,
    };
    // RFC 2231 §5 lets a language follow the charset.
    let charset = charset.split('*').next()?.to_ascii_lowercase();
    Some((Run { charset, octets }, after))
}

/// Decodes base64. Other characters are skipped, and padding may be absent or followed by more.
fn base64(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            // What follows padding is encoded anew.
            b'=' => {
                count = 0;
                continue;
            }
            _ => continue,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push((bits >> count) as u8);
        }
    }
    octets
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
            ("=??Q?a?=", "=??Q?a?="),
            ("=?=?utf-8?Q?a?=", "=?a"),
            ("=?", "=?"),
            ("a =? b", "a =? b"),
        ];
        for (value, expected) in table {
            assert_eq!(decode(value, Fallback::Replace), expected, "{value}");
        }
    }
}
