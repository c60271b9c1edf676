//! Charsets, converted to UTF-8.

use std::mem;

use encoding_rs::{CoderResult, Encoding, REPLACEMENT, UTF_8, UTF_16LE};
use mail_parser::decoders::charsets::map::charset_decoder;

/// Converts a charset to UTF-8. Octets that are not valid in it become U+FFFD.
pub(super) enum Charset {
    Pieces(encoding_rs::Decoder),
    /// A charset that can only be converted as a whole.
    Whole(fn(&[u8]) -> String, Vec<u8>),
}

impl Charset {
    /// The charset of this label, or UTF-8 if the label is not known.
    pub(super) fn of(label: Option<&str>) -> Self {
        let label = label.unwrap_or_default();
        match Encoding::for_label(label.as_bytes()) {
            // A byte order mark may say that the text is big-endian.
            Some(encoding) if encoding == UTF_16LE => Self::Pieces(encoding.new_decoder()),
            Some(encoding) => Self::Pieces(encoding.new_decoder_without_bom_handling()),
            None => match charset_decoder(label.as_bytes()) {
                Some(decode) => Self::Whole(decode, Vec::new()),
                None => Self::Pieces(UTF_8.new_decoder_without_bom_handling()),
            },
        }
    }

    /// True if programs convert this charset alike, as far as that is known. Few know UTF-7 (RFC 2152), and
    /// the order of octets is part of the name of UTF-16, unless there is a byte order mark (RFC 2781).
    pub(super) fn is_certain(label: &str) -> bool {
        let label = label.to_ascii_lowercase();
        match Encoding::for_label(label.as_bytes()) {
            Some(encoding) if encoding == REPLACEMENT => false,
            Some(encoding) if encoding == UTF_16LE => label == "utf-16le",
            Some(_) => true,
            None if NO_CHARSETS.contains(&label.as_str()) => true,
            None => charset_decoder(label.as_bytes())
                .is_some_and(|decode| decode(ASCII.as_bytes()) == ASCII),
        }
    }

    /// Converts the next piece and appends the result to `out`.
    pub(super) fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>, is_last: bool) {
        match self {
            Self::Pieces(decoder) => decode(decoder, octets, out, is_last),
            Self::Whole(convert, kept) => {
                kept.extend_from_slice(octets);
                if kept.len() > MAX_WHOLE {
                    let kept = mem::take(kept);
                    *self = Self::Pieces(UTF_8.new_decoder_without_bom_handling());
                    self.feed(&kept, out, is_last);
                } else if is_last {
                    out.extend_from_slice(convert(kept).as_bytes());
                }
            }
        }
    }
}

fn decode(decoder: &mut encoding_rs::Decoder, mut octets: &[u8], out: &mut Vec<u8>, is_last: bool) {
    loop {
        let begin = out.len();
        out.resize(begin + 3 * octets.len() + ROOM, 0);
        let (result, read, written, _) = decoder.decode_to_utf8(octets, &mut out[begin..], is_last);
        out.truncate(begin + written);
        octets = &octets[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

/// What says that the charset is not known (RFC 1428 §3). Programs read it as ASCII.
const NO_CHARSETS: [&str; 4] = ["", "unknown", "unknown-8bit", "x-unknown"];
/// A text that is the same in each charset that includes ASCII.
const ASCII: &str = "+AGE-a";

/// The most octets of a text in a charset that can only be converted as a whole. These charsets are
/// obsolete, and a larger text is read as UTF-8.
const MAX_WHOLE: usize = 1 << 20;
/// Room for octets that a decoder holds back.
const ROOM: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(label: &str, text: &[u8]) -> Vec<u8> {
        let in_pieces = |size| {
            let (mut charset, mut out) = (Charset::of(Some(label)), Vec::new());
            for piece in text.chunks(size) {
                charset.feed(piece, &mut out, false);
            }
            charset.feed(&[], &mut out, true);
            out
        };
        let whole = in_pieces(usize::MAX);
        for size in 1..4 {
            assert_eq!(in_pieces(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn converts_charsets_to_utf_8() {
        let table: [(&str, &[u8], &str); 9] = [
            ("utf-8", b"caf\xC3\xA9 \xFF", "caf\u{e9} \u{fffd}"),
            ("ISO-8859-1", b"caf\xE9", "caf\u{e9}"),
            ("us-ascii", b"plain", "plain"),
            ("koi8-r", b"\xC1", "\u{430}"),
            ("shift_jis", b"\x83e", "\u{30c6}"),
            ("iso-2022-jp", b"\x1B$B%F\x1B(B.", "\u{30c6}."),
            ("utf-16", b"\xFE\xFF\0a", "a"),
            ("utf-7", b"1+ACE-", "1!"),
            ("no-such-charset", b"caf\xC3\xA9", "caf\u{e9}"),
        ];
        for (charset, text, expected) in table {
            let got = String::from_utf8(converted(charset, text)).unwrap();
            assert_eq!(got, expected, "{charset}");
        }
    }

    #[test]
    fn charsets_that_programs_know() {
        let known = [
            "UTF-8", "utf8", "us-ascii", "latin1", "koi8-r", "cp850", "utf-16be", "",
        ];
        let others = [
            "x",
            "utf7",
            "utf-7",
            "u7",
            "unicode-1-1-utf-7",
            "cp037",
            "cp500",
            "unicode_escape",
            "punycode",
            "utf-16",
            "unicode",
            "utf-32",
            "iso-2022-kr",
            "iso_2022_kr",
            "hz-gb-2312",
            "rot13",
            "utf-8\0",
        ];
        for (labels, expected) in [(&known[..], true), (&others[..], false)] {
            for label in labels {
                assert_eq!(Charset::is_certain(label), expected, "{label}");
            }
        }
    }

    #[test]
    fn text_grows_to_three_times_its_size_at_most() {
        for charset in [
            "utf-8",
            "windows-1252",
            "x-user-defined",
            "utf-16be",
            "utf-7",
        ] {
            let got = converted(charset, &[0xFF; 3_000]);
            assert!(got.len() <= 9_003, "{charset}: {}", got.len());
        }
    }
}
