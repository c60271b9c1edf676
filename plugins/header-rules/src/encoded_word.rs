//! Decodes the encoded words of header fields (RFC 2047), so that rules check the displayed text.

/// Decodes the encoded words of a value: UTF-8, US-ASCII and ISO-8859-1, which cover nearly all
/// mail. Other charsets stay encoded.
pub(crate) fn decode(value: &str) -> String {
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find("=?") {
        let (before, candidate) = rest.split_at(start);
        let Some((word, after)) = take_word(candidate) else {
            decoded.push_str(before);
            decoded.push_str("=?");
            rest = &candidate[2..];
            continue;
        };
        // White space between two encoded words is not part of the text (RFC 2047 §6.2).
        let follows_word = value[..value.len() - rest.len()].ends_with("?=");
        if !(follows_word && before.trim().is_empty()) {
            decoded.push_str(before);
        }
        decoded.push_str(&word);
        rest = after;
    }
    decoded.push_str(rest);
    decoded
}

/// Parses `=?charset?encoding?text?=` at the start of a text.
fn take_word(text: &str) -> Option<(String, &str)> {
    let mut parts = text.strip_prefix("=?")?.splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (encoded, after) = rest.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => base64(encoded)?,
        "Q" | "q" => quoted(encoded)?,
        _ => return None,
    };
    // RFC 2231 §5 lets a language follow the charset.
    let charset = charset.split('*').next()?.to_ascii_lowercase();
    let text = match charset.as_str() {
        "utf-8" | "us-ascii" => String::from_utf8(bytes).ok()?,
        "iso-8859-1" | "windows-1252" => bytes.into_iter().map(char::from).collect(),
        _ => return None,
    };
    Some((text, after))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            byte => byte,
        });
    }
    Some(bytes)
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
            ("=?utf-8?q?l=6Fttery_now?=", "lottery now"),
            ("=?iso-8859-1?Q?caf=E9?=", "café"),
            ("=?utf-8*en?Q?caf=C3=A9?= open", "café open"),
            ("=?utf-8?Q?lot?= =?utf-8?Q?tery?=", "lottery"),
            ("=?utf-8?Q?lot?= of =?utf-8?Q?tery?=", "lot of tery"),
            ("  =?utf-8?Q?a?=", "  a"),
            ("=?utf-8?Q?=FF?=", "=?utf-8?Q?=FF?="),
            ("=?koi8-r?Q?a?=", "=?koi8-r?Q?a?="),
            ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
            ("=?utf-8?B?%%?=", "=?utf-8?B?%%?="),
            ("=?utf-8?Q?=4?=", "=?utf-8?Q?=4?="),
            ("=?=?utf-8?Q?a?=", "=?a"),
            ("=?", "=?"),
            ("a =? b", "a =? b"),
        ];
        for (value, expected) in table {
            assert_eq!(decode(value), expected, "{value}");
        }
    }
}
