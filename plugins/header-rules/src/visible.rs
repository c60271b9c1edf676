//! What a reader sees of the value of a header field.

use unicode_normalization::UnicodeNormalization;

use crate::charset::{self, Fallback};
use crate::encoded_word::{self, Joining};

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

/// What mail programs make of a value.
#[derive(Debug)]
pub(crate) struct Readings {
    /// The texts, normalized. Programs agree on what follows the standards; of anything else, a rule
    /// looks at all readings.
    pub(crate) texts: Vec<String>,
    /// False if some program may read something else: octets or charsets are not known, or there are
    /// control characters.
    pub(crate) is_sound: bool,
}

impl Readings {
    /// The readings of a raw value.
    pub(crate) fn of(value: &[u8]) -> Self {
        let mut written = Vec::with_capacity(1);
        for fallback in [Fallback::Replace, Fallback::Latin] {
            let text = unfolded(&charset::decode_raw(value, fallback));
            for joining in [Joining::Octets, Joining::Texts] {
                add_variants(encoded_word::decode(&text, fallback, joining), &mut written);
            }
            // As programs show it that do not decode it, or for rules about the encoding itself.
            add(text, &mut written);
        }
        let mut texts = Vec::with_capacity(written.len());
        for text in written {
            let text = normalized(&text);
            let address = text.contains('@').then(|| without_blanks(&text));
            add(text, &mut texts);
            address.into_iter().for_each(|text| add(text, &mut texts));
        }
        Self {
            texts,
            is_sound: is_sound(value),
        }
    }

    /// The readings of a text that the plugin itself has written.
    pub(crate) fn of_text(text: &str) -> Self {
        Self {
            texts: vec![normalized(text)],
            is_sound: true,
        }
    }
}

/// True if no octet of a raw value, and no encoded word in it, is read in different ways.
fn is_sound(value: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(value) else {
        return false;
    };
    let is_odd = |c: char| c.is_control() && !"\t\r\n".contains(c);
    !text.contains(is_odd) && encoded_word::is_sound(&unfolded(text))
}

/// Adds a text, and what programs make of its quotes, comments and control characters.
fn add_variants(text: String, texts: &mut Vec<String>) {
    let unquoted = text.contains(['"', '\\']).then(|| unquote(&text));
    let bare = text.contains('(').then(|| without_comments(&text));
    let both = bare.as_deref().filter(|_| unquoted.is_some()).map(unquote);
    let is_controlled = text.contains(char::is_control);
    // A program in C ends at NUL; others show a blank.
    let cut = is_controlled.then(|| text.split('\0').next().unwrap_or_default().to_owned());
    let blank = is_controlled.then(|| text.replace(char::is_control, " "));
    add(text, texts);
    for variant in [unquoted, bare, both, cut, blank].into_iter().flatten() {
        add(variant, texts);
    }
}

fn add(text: String, texts: &mut Vec<String>) {
    if !texts.contains(&text) {
        texts.push(text);
    }
}

/// Unfolding takes the line ends out only; the blank or tab after them stays (RFC 5322 §2.2.3).
fn unfolded(text: &str) -> String {
    text.replace(['\r', '\n'], "")
}

/// A text without comments (RFC 5322 §3.2.2), outside of quoted strings.
fn without_comments(text: &str) -> String {
    let mut content = String::with_capacity(text.len());
    let (mut depth, mut is_quoted) = (0_usize, false);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' if depth > 0 => _ = rest.next(),
            '\\' => content.extend(std::iter::once(c).chain(rest.next())),
            '(' if !is_quoted => depth += 1,
            ')' if depth > 0 => depth -= 1,
            c if depth == 0 => {
                is_quoted ^= c == '"';
                content.push(c);
            }
            _ => {}
        }
    }
    content
}

/// A normalized text without the blanks around `@` and `.`, which are no part of an address (RFC 5322
/// §3.4.1 and §4.4).
fn without_blanks(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for word in text.split(' ') {
        let is_joined = joined.ends_with(['@', '.']) || word.starts_with(['@', '.']);
        if !is_joined && !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

/// A text without the quotes of quoted strings and the backslashes of quoted pairs (RFC 5322 §3.2.4).
fn unquote(text: &str) -> String {
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
        let same: [&[u8]; 47] = [
            b"=??q?win_the_lottery?=",
            b"=??b?d2luIHRoZSBsb3R0ZXJ5?=",
            b"=?utf-8 ?q?win_the_lottery?=",
            b"=? utf-8?q?win_the_lottery?=",
            b"=?\t? q?win_the_lottery?=",
            b"=?utf-8?b?d=2luIHRoZSBs=b3R0ZXJ5?=",
            b"=?utf-8?q?win_the_lottery",
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
            b"win the\r\n\t\t=?utf-8?q?lottery?=",
            b"=?utf-8?b?d2luIHRoZSBsb3R0Z?=\r\n\t=?utf-8?b?XJ5?=",
            b"=?utf-32be?b?AAAAdwAAAGkAAABuAAAAIA==?= the lottery",
            b"=?latin1?q?win_the_lottery?=",
            b"=?l1?q?win_the_?= =?cp1252?q?lottery?=",
            b"=?utf8?q?win_the_lottery?=",
            b"win the lottery\0nothing else",
            b"win\x01the\x02lottery",
            b"win\x0bthe\x0clottery",
            b"=?utf-8?q?win_the_lottery=00x?=",
            b"win (all) the lottery",
            b"win the (\\)x) lottery (now)",
            b"win the =?utf-8?q?(x)_lottery?=",
            b"win the lottery\xff",
        ];
        for value in same {
            let readings = Readings::of(value).texts;
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
            let readings = Readings::of(value.as_bytes()).texts;
            assert!(
                !readings.iter().any(|it| it == "win the lottery"),
                "{value}"
            );
        }
    }

    #[test]
    fn what_some_program_reads_in_another_way_is_not_sound() {
        let table: [(&[u8], bool); 24] = [
            (b"win the\r\n\tlottery", true),
            (b"=?utf-8?q?a?=", true),
            (b"=?utf-8*en?Q?a?=", true),
            (b"=?utf-8?b?YQ==?= =?utf-8?B?YWI=?=", true),
            (b"=?utf-8?b?YQ?=", true),
            (b"=??q?a?=", false),
            (b"=?*en?q?a?=", false),
            (b"=?\t?q?a?=", false),
            (b"=?utf-8 ?q?a?=", false),
            (b"=? utf-8?q?a?=", false),
            (b"=?utf-8? q?a?=", false),
            (b"=?utf-8?q?a", false),
            (b"=?utf-8?b?Y=Q==?=", false),
            (b"=?utf-8?b?YQ=a?=", false),
            (b"=?utf-8?b?YWI=YWI=?=", false),
            (b"=?utf-8?b?YW-I?=", false),
            ("café =?utf-8?q?caf=C3=A9?=".as_bytes(), true),
            (b"=?utf-8?q?lot=C3?= =?utf-8?q?=A9?=", true),
            (b"caf\xe9", false),
            (b"a\0b", false),
            (b"a\x7f", false),
            (b"=?utf-8?q?lot=C3?= x", false),
            (b"=?ebcdic-us?b?k5ajo4WZqA==?=", false),
            (b"=?utf-8?q?=FF?=", false),
        ];
        for (value, expected) in table {
            let shown = value.escape_ascii();
            assert_eq!(Readings::of(value).is_sound, expected, "{shown}");
        }
    }

    /// RFC 5322 allows comments and white space in an address.
    #[test]
    fn one_address_in_many_ways() {
        for value in [
            "evil@bad.example",
            "E. Vil <evil@bad.example>",
            "evil @ bad . example",
            "<evil\r\n @\r\n\tbad.\r\n example>",
            "evil(x)@(y)bad (z) . example",
            "\"evil\" @ bad.example",
            "\"evil\" (x) @ bad . (y) example",
            "evil ＠ bad . example",
            "a@b.example, evil @ bad.example",
        ] {
            let texts = Readings::of(value.as_bytes()).texts;
            assert!(
                texts.iter().any(|text| text.contains("evil@bad.example")),
                "{value}: {texts:?}"
            );
        }
        let texts = Readings::of(b"a. b").texts;
        assert_eq!(texts, ["a. b"]);
    }

    #[test]
    fn octets_in_an_unnamed_charset() {
        let readings = |value| Readings::of(value).texts;
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
            prop_assert!(Readings::of(value.as_bytes()).texts.contains(&normalized(&text)), "{}", value);
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
