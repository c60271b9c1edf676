//! Octets to text, by the name of a charset.

use encoding_rs::{EUC_KR, Encoding, GBK, UTF_8, WINDOWS_1252};

/// What octets become that are wrong in their charset. Mail programs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// The whole text is read as Windows-1252.
    Latin,
    /// They become U+FFFD.
    Replace,
}

/// Decodes octets in a charset: all those of the WHATWG Encoding Standard, which mail programs share with
/// browsers, and those of mail that it leaves out. Of others, it reads the ASCII characters.
pub(crate) fn decode(charset: &str, octets: &[u8], fallback: Fallback) -> String {
    let (encoding, octets) = converted(charset, octets, fallback);
    let encoding = encoding.unwrap_or(WINDOWS_1252);
    let (text, _, has_errors) = encoding.decode(&octets);
    match has_errors && fallback == Fallback::Latin {
        true => WINDOWS_1252.decode_without_bom_handling(&octets).0.into(),
        false => text.into_owned(),
    }
}

/// True if the charset is known, and has a character for all octets.
pub(crate) fn is_sound(charset: &str, octets: &[u8]) -> bool {
    let (encoding, octets) = converted(charset, octets, Fallback::Replace);
    encoding.is_some_and(|encoding| !encoding.decode(&octets).2)
}

/// The octets in a charset of the WHATWG Encoding Standard; `None` if the charset is not known.
fn converted(
    charset: &str,
    octets: &[u8],
    fallback: Fallback,
) -> (Option<&'static Encoding>, Vec<u8>) {
    let (encoding, octets) = match charset {
        "iso-2022-kr" | "csiso2022kr" => {
            let designation: &[u8] = b"\x1b$)C";
            let octets = without(octets, designation);
            (EUC_KR, shifted(&octets, &[0x0e], &[0x0f]))
        }
        "hz" | "hz-gb-2312" => (GBK, shifted(octets, b"~{", b"~}")),
        "utf-7" | "unicode-1-1-utf-7" | "x-unicode-2-0-utf-7" => {
            (UTF_8, utf_7(octets).into_bytes())
        }
        "utf-32" | "utf-32be" | "utf-32le" | "ucs-4" | "ucs-4be" | "ucs-4le"
        | "iso-10646-ucs-4" => (UTF_8, utf_32(octets, charset, fallback).into_bytes()),
        _ => {
            let label = match charset {
                "cp932" => "shift_jis",
                "cp936" => "gbk",
                "cp949" => "euc-kr",
                "cp950" => "big5",
                "iso-10646-ucs-2" | "ucs-2" | "ucs-2be" => "utf-16be",
                "ucs-2le" => "utf-16le",
                // Without a mark of their order, octets may be in either.
                "utf-16" if fallback == Fallback::Latin && !octets.starts_with(b"\xff\xfe") => {
                    "utf-16be"
                }
                "utf8" | "utf_8" | "utf-8-sig" => "utf-8",
                charset => charset,
            };
            let encoding = Encoding::for_label_no_replacement(label.as_bytes());
            return (encoding, octets.to_vec());
        }
    };
    (Some(encoding), octets)
}

/// Decodes UTF-32. Without a mark of their order, octets may be in either.
fn utf_32(octets: &[u8], charset: &str, fallback: Fallback) -> String {
    let is_little = match octets {
        [0xff, 0xfe, 0, 0, ..] => true,
        [0, 0, 0xfe, 0xff, ..] => false,
        _ => charset.ends_with("le") || !charset.ends_with("be") && fallback == Fallback::Replace,
    };
    let characters = octets.chunks(4).map(|unit| {
        let number = unit.try_into().ok().map(match is_little {
            true => u32::from_le_bytes,
            false => u32::from_be_bytes,
        });
        number
            .and_then(char::from_u32)
            .unwrap_or(char::REPLACEMENT_CHARACTER)
    });
    characters.collect()
}

/// Decodes unencoded octets: UTF-8, which RFC 6532 allows, or what old programs send.
pub(crate) fn decode_raw(octets: &[u8], fallback: Fallback) -> String {
    decode("utf-8", octets, fallback)
}

fn without(octets: &[u8], sequence: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let [octet, after @ ..] = rest {
        match rest.strip_prefix(sequence) {
            Some(after) => rest = after,
            None => {
                kept.push(*octet);
                rest = after;
            }
        }
    }
    kept
}

/// Sets the high bit of the octets between two shifts, and drops the shifts (RFC 1557, RFC 1843).
fn shifted(octets: &[u8], begin: &[u8], end: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets.len());
    let mut is_shifted = false;
    let mut rest = octets;
    while let [octet, after @ ..] = rest {
        if let Some(after) = rest.strip_prefix(if is_shifted { end } else { begin }) {
            is_shifted = !is_shifted;
            rest = after;
            continue;
        }
        rest = after;
        text.push(match is_shifted && *octet > b' ' {
            true => octet | 0x80,
            false => *octet,
        });
    }
    text
}

/// Decodes UTF-7 (RFC 2152).
fn utf_7(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut rest = octets;
    while let [octet, after @ ..] = rest {
        rest = after;
        if *octet != b'+' {
            text.push(char::from(*octet));
            continue;
        }
        let length = rest
            .iter()
            .take_while(|octet| digit(**octet).is_some())
            .count();
        let (digits, after) = rest.split_at(length);
        if digits.is_empty() {
            text.push('+');
        }
        text.push_str(&utf_16(digits));
        rest = after.strip_prefix(b"-").unwrap_or(after);
    }
    text
}

/// Decodes UTF-16 in base64 without padding.
fn utf_16(digits: &[u8]) -> String {
    let (mut bits, mut count) = (0_u32, 0);
    let mut units = Vec::with_capacity(digits.len() / 2);
    for digit in digits.iter().filter_map(|octet| digit(*octet)) {
        bits = bits << 6 | digit;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((bits >> count) as u16);
        }
    }
    String::from_utf16_lossy(&units)
}

fn digit(octet: u8) -> Option<u32> {
    Some(u32::from(match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets() {
        let table: [(&str, &[u8], &str); 18] = [
            ("utf-8", "lottery é".as_bytes(), "lottery é"),
            ("us-ascii", b"lottery", "lottery"),
            ("windows-1251", b"\xeb", "л"),
            ("iso-2022-jp", b"\x1b$B%m\x1b(Bx", "ロx"),
            ("shift_jis", b"\x83\x8d", "ロ"),
            ("gb18030", b"\xc4\xe3", "你"),
            ("big5", b"\xa7A", "你"),
            ("utf-16", b"\xfe\xff\0l\0o", "lo"),
            ("utf-16be", b"\0l\0o", "lo"),
            ("iso-2022-kr", b"\x1b$)C\x0e0!\x0fx", "가x"),
            ("hz-gb-2312", b"~{Dc~}x", "你x"),
            ("utf-7", b"+AGwAbw-t+-t", "lot+t"),
            ("utf-7", b"+2D3eAA", "😀"),
            ("utf-32be", b"\0\0\0l\0\0\0o", "lo"),
            ("utf-32", b"l\0\0\0o\0\0\0", "lo"),
            ("utf-32", b"\0\0\xfe\xff\0\0\0l", "l"),
            ("ucs-2", b"\0l\0o", "lo"),
            ("nonsense", b"lottery", "lottery"),
        ];
        for (charset, octets, expected) in table {
            assert_eq!(
                decode(charset, octets, Fallback::Replace),
                expected,
                "{charset}"
            );
        }
    }

    #[test]
    fn wrong_octets() {
        let table: [(&[u8], &str, &str); 2] = [
            (b"caf\xe9", "caf\u{fffd}", "café"),
            ("café".as_bytes(), "café", "café"),
        ];
        for (octets, replaced, latin) in table {
            assert_eq!(decode_raw(octets, Fallback::Replace), replaced);
            assert_eq!(decode_raw(octets, Fallback::Latin), latin);
        }
    }
}
