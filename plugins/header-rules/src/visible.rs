//! What a reader sees of the value of a header field.

use unicode_normalization::UnicodeNormalization;

use crate::charset::{self, Fallback};
use crate::encoded_word;

/// The form in which texts are compared: what looks the same is the same. White space of any kind and
/// length is one blank, and none at the beginning and the end. Characters that nobody sees are left out,
/// such as soft hyphens, zero-width spaces and the mark of what could not be decoded. Other characters are
/// in lower case and in the compatibility form of Unicode (NFKC): `ﬁ` is `fi`, and `é` is one
/// character however it is composed.
pub(crate) fn normalized(text: &str) -> String {
    let compatible = |text: &str| -> String { text.nfkc().collect() };
    let lower = |text: String| -> String { compatible(&text.to_lowercase()) };
    let visible: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_control() && c.is_whitespace() {
                ' '
            } else {
                c
            }
        })
        .filter(|c| !is_invisible(*c))
        .collect();
    let lower = lower(compatible(&visible));
    let words: Vec<_> = lower.split_whitespace().collect();
    words.join(" ")
}

/// The texts that mail programs make of a value, normalized. They agree on what follows the standards;
/// of anything else, a rule looks at all readings.
pub(crate) fn readings(value: &[u8]) -> Vec<String> {
    let mut readings = Vec::with_capacity(1);
    for fallback in [Fallback::Replace, Fallback::Latin] {
        // Unfolding takes the line ends out only; the blank or tab after them stays (RFC 5322 §2.2.3).
        let unfolded = charset::decode_raw(value, fallback).replace(['\r', '\n'], "");
        let decoded = encoded_word::decode(&unfolded, fallback);
        add(&mut readings, &decoded);
        if decoded.contains(['"', '\\']) {
            add(&mut readings, &unquoted(&decoded));
        }
        // As programs show it that do not decode it, or for rules about the encoding itself.
        if decoded != unfolded {
            add(&mut readings, &unfolded);
        }
    }
    readings
}

fn add(readings: &mut Vec<String>, text: &str) {
    let text = normalized(text);
    if !readings.contains(&text) {
        readings.push(text);
    }
}

/// A text without the quotes of quoted strings and the backslashes of quoted pairs (RFC 5322 §3.2.4).
fn unquoted(text: &str) -> String {
    let mut content = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => {}
            '\\' => content.extend(rest.next()),
            c => content.push(c),
        }
    }
    content
}

/// True for control characters, and the characters that Unicode says are not shown
/// (`Default_Ignorable_Code_Point`), and U+FFFD.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{fffd}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_looks_the_same_is_the_same() {
        let table = [
            (" Win  the\tLottery ", "win the lottery"),
            ("win\u{a0}the\u{2003}lottery", "win the lottery"),
            ("lot\u{ad}te\u{200b}ry\u{feff}", "lottery"),
            ("lot\0tery\u{7f}", "lottery"),
            ("cafe\u{301}", "café"),
            ("ﬁn ＬＯＴＴＥＲＹ", "fin lottery"),
            ("lott\u{fffd}ery", "lottery"),
        ];
        for (text, expected) in table {
            assert_eq!(normalized(text), expected, "{text:?}");
        }
    }

    /// Ways to write one text, and what is not that text.
    #[test]
    fn one_text_in_many_encodings() {
        let same: [&[u8]; 26] = [
            b"win the lottery",
            b"win the\r\n lottery",
            b"win the\r\n\tlottery",
            b"win the \r\n \t lottery",
            b"win\tthe\tlottery",
            b"win the =?utf-8?q?lottery?=",
            b"win the =?UTF-8?Q?=6C=6f=74=74=65=72=79?=",
            b"=?utf-8?b?d2luIHRoZSBsb3R0ZXJ5?=",
            b"=?utf-8?B?d2luIHRoZSBsb3R0ZXJ5?=",
            b"=?utf-8?q?win_the_lot?=\r\n =?utf-8?q?tery?=",
            b"=?utf-8?q?win_the_lot?=\r\n\t=?iso-8859-1?b?dGVyeQ==?=",
            b"=?utf-8?q?win?= the =?utf-8?q?lottery?=",
            b"=?us-ascii?q?win_?= =?us-ascii?q?the_lottery?=",
            b"=?koi8-r?q?win_the_lottery?=",
            b"=?gb2312?q?win_the_lottery?=",
            b"=?no-such-charset?q?win_the_lottery?=",
            b"=?utf-16be?b?AHcAaQBuACAAdABoAGUAIABsAG8AdAB0AGUAcgB5?=",
            b"=?utf-7?q?win_the_+AGwAbwB0AHQAZQByAHk-?=",
            b"=?utf-8?q?win_the_lott=FFery?=",
            b"=?utf-8?q?win_the_lot=C3?= =?utf-8?q?tery?=",
            b"=?utf-8?q?win_the_lot=C2?= =?utf-8?q?=ADtery?=",
            b"=?utf-8*en?q?win_the_lottery?=",
            b"\"win the lottery\"",
            b"\"win \\the =?utf-8?q?lottery?=\"",
            b"win the lot=?utf-8?q??=tery",
            b"win the lot\xe2\x80\x8btery",
        ];
        for value in same {
            let readings = readings(value);
            let shown = value.escape_ascii();
            assert!(
                readings.iter().any(|it| it == "win the lottery"),
                "{shown}: {readings:?}"
            );
        }
        for value in [
            "win the lot tery",
            "win the =?utf-8?q?lot?= tery",
            "winthe lottery",
        ] {
            let readings = readings(value.as_bytes());
            assert!(
                !readings.iter().any(|it| it == "win the lottery"),
                "{value}"
            );
        }
    }

    #[test]
    fn octets_in_an_unnamed_charset() {
        assert_eq!(readings("café".as_bytes()), ["café"]);
        assert_eq!(readings(b"caf\xe9"), ["caf", "café"]);
        assert_eq!(
            readings(b"=?utf-8?q?caf=E9?="),
            ["caf", "=?utf-8?q?caf=e9?=", "café"]
        );
    }

    proptest! {
        #[test]
        fn a_normalized_text_is_its_own(text in "\\PC{0,20}") {
            let once = normalized(&text);
            prop_assert_eq!(normalized(&once), once.clone());
        }

        /// Any text, cut into encoded words at any octets, is read as it was.
        #[test]
        fn cut_words_are_put_together(text in "\\PC{1,12}", cuts in any::<u64>(), encodings in any::<u64>()) {
            let mut words = vec![Vec::new()];
            for (index, octet) in text.bytes().enumerate() {
                if index > 0 && cuts >> (index % 64) & 1 == 1 {
                    words.push(Vec::new());
                }
                words.last_mut().unwrap().push(octet);
            }
            let words = words.iter().enumerate().map(|(index, octets)| {
                match encodings >> (index % 64) & 1 {
                    0 => {
                        let text: String = octets.iter().map(|octet| format!("={octet:02X}")).collect();
                        format!("=?utf-8?q?{text}?=")
                    }
                    _ => format!("=?UTF-8?B?{}?=", base64(octets)),
                }
            });
            let value = words.collect::<Vec<_>>().join("\r\n ");
            prop_assert!(readings(value.as_bytes()).contains(&normalized(&text)), "{}", value);
        }
    }

    fn base64(octets: &[u8]) -> String {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |bits: u32| char::from(digits[(bits & 63) as usize]);
        let groups = octets.chunks(3).map(|group| {
            let bits = (0..3).fold(0, |bits, at| {
                bits << 8 | u32::from(*group.get(at).unwrap_or(&0))
            });
            let all = [bits >> 18, bits >> 12, bits >> 6, bits].map(digit);
            let used = all.iter().take(group.len() + 1);
            used.chain(std::iter::repeat(&'='))
                .take(4)
                .collect::<String>()
        });
        groups.collect()
    }
}
