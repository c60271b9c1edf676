//! The content of a part as it was meant: without its transfer encoding, and text in UTF-8. It is made
//! in pieces, so that it takes no memory to speak of.

use std::mem;

use encoding_rs::{CoderResult, Encoding, UTF_8, UTF_16LE};
use mail_parser::decoders::charsets::map::charset_decoder;

use super::head::Facts;

/// Decodes the content of one part.
pub(super) struct Decoder {
    transfer: Transfer,
    /// Nothing where the content is no text.
    charset: Option<Charset>,
    /// What the transfer encoding held, in between.
    octets: Vec<u8>,
}

impl Decoder {
    /// For the content of a part whose header block says this. Nothing where the content is its own
    /// decoded form.
    pub(super) fn of(facts: &Facts) -> Option<Self> {
        let transfer = Transfer::of(&facts.encoding);
        let charset = facts
            .is_text()
            .then(|| Charset::of(facts.charset.as_deref()));
        match (&transfer, &charset) {
            (Transfer::None, None) => None,
            _ => Some(Self {
                transfer,
                charset,
                octets: Vec::new(),
            }),
        }
    }

    /// Takes the next piece, and adds what can be known of it.
    pub(super) fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let Some(charset) = &mut self.charset else {
            self.transfer.feed(octets, out);
            return;
        };
        self.octets.clear();
        self.transfer.feed(octets, &mut self.octets);
        charset.feed(&self.octets, out, false);
    }

    /// Adds what was waiting for more.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.octets.clear();
        match &mut self.charset {
            None => self.transfer.finish(out),
            Some(charset) => {
                self.transfer.finish(&mut self.octets);
                charset.feed(&self.octets, out, true);
            }
        }
    }
}

/// A transfer encoding (RFC 2045 §6), read as those do who show mail: what does not belong to it is
/// left out, and is no error.
enum Transfer {
    Base64 {
        /// The last digits, six bits each.
        digits: u32,
        /// How many.
        count: u32,
    },
    None,
    QuotedPrintable(Quoted),
}

impl Transfer {
    fn of(encoding: &str) -> Self {
        match encoding {
            "base64" => Self::Base64 {
                digits: 0,
                count: 0,
            },
            "quoted-printable" => Self::QuotedPrintable(Quoted::default()),
            _ => Self::None,
        }
    }

    fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Base64 { digits, count } => {
                for octet in octets {
                    match DIGITS[usize::from(*octet)] {
                        NO_DIGIT if *octet == b'=' => end_base64(digits, count, out),
                        NO_DIGIT => {}
                        digit => {
                            *digits = *digits << 6 | u32::from(digit);
                            *count += 1;
                            if *count == 4 {
                                out.extend_from_slice(&digits.to_be_bytes()[1..]);
                                (*digits, *count) = (0, 0);
                            }
                        }
                    }
                }
            }
            Self::None => out.extend_from_slice(octets),
            Self::QuotedPrintable(quoted) => octets.iter().for_each(|o| quoted.octet(*o, out)),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Base64 { digits, count } => end_base64(digits, count, out),
            Self::None => {}
            Self::QuotedPrintable(quoted) => quoted.give_up(out),
        }
    }
}

/// Adds the octets of an incomplete group. Another may follow: some senders put one encoded text
/// behind the other.
fn end_base64(digits: &mut u32, count: &mut u32, out: &mut Vec<u8>) {
    let octets = (*digits << (6 * (4 - *count))).to_be_bytes();
    let whole = count.saturating_sub(1) as usize;
    out.extend_from_slice(&octets[1..=whole]);
    (*digits, *count) = (0, 0);
}

/// What each octet stands for in base64.
const DIGITS: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < alphabet.len() {
        digits[alphabet[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};
const NO_DIGIT: u8 = 0xFF;

/// What has come of quoted-printable, and cannot be understood yet.
#[derive(Default)]
struct Quoted {
    /// White space, which is dropped where the line ends behind it; or an equals sign with what
    /// followed it.
    waiting: Vec<u8>,
}

impl Quoted {
    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        match (self.waiting.as_slice(), octet) {
            ([b'=', b' ' | b'\t' | b'\r', ..], b'\n') => self.waiting.clear(),
            ([b'='], b'\n') => self.waiting.clear(),
            ([b'='], b' ' | b'\t' | b'\r') => self.waiting.push(octet),
            ([b'=', b' ' | b'\t', ..], b' ' | b'\t' | b'\r')
                if self.waiting.len() < MAX_WAITING =>
            {
                self.waiting.push(octet);
            }
            ([b'='], digit) if digit.is_ascii_hexdigit() => self.waiting.push(digit),
            ([b'=', high], low) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hexadecimal(*high) << 4 | hexadecimal(low));
                self.waiting.clear();
            }
            ([b'=', ..], _) => {
                self.give_up(out);
                self.octet(octet, out);
            }
            ([], b'=') => self.waiting.push(octet),
            (_, b' ' | b'\t') if self.waiting.len() < MAX_WAITING => self.waiting.push(octet),
            (_, b'\r' | b'\n') => {
                self.waiting.clear();
                out.push(octet);
            }
            ([], _) => out.push(octet),
            _ => {
                self.give_up(out);
                self.octet(octet, out);
            }
        }
    }

    /// Takes what has come as it stands.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.waiting);
    }
}

fn hexadecimal(digit: u8) -> u8 {
    // Only called for a digit.
    char::from(digit).to_digit(16).unwrap_or_default() as u8
}

/// A charset, on its way to UTF-8. What is no character of it becomes U+FFFD.
enum Charset {
    Pieces(encoding_rs::Decoder),
    /// One that can only be read as a whole.
    Whole(fn(&[u8]) -> String, Vec<u8>),
}

impl Charset {
    fn of(label: Option<&str>) -> Self {
        let label = label.unwrap_or_default();
        match Encoding::for_label(label.as_bytes()) {
            // Its first octets say in which order the others come.
            Some(encoding) if encoding == UTF_16LE => Self::Pieces(encoding.new_decoder()),
            Some(encoding) => Self::Pieces(encoding.new_decoder_without_bom_handling()),
            None => match charset_decoder(label.as_bytes()) {
                Some(decode) => Self::Whole(decode, Vec::new()),
                None => Self::Pieces(UTF_8.new_decoder_without_bom_handling()),
            },
        }
    }

    fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>, is_last: bool) {
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

/// So much white space is held back in quoted-printable, in octets; RFC 2045 allows lines of 76.
const MAX_WAITING: usize = 998;
/// The most octets of a text that are converted from a charset that can only be read as a whole. The
/// charsets that are so are of another age.
const MAX_WHOLE: usize = 1 << 20;
/// Room for what a decoder has held back.
const ROOM: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: &str, content_type: &str, charset: Option<&str>, text: &[u8]) -> Vec<u8> {
        let facts = |size| {
            let mut facts = Facts::new(content_type);
            facts.encoding = encoding.into();
            facts.charset = charset.map(Into::into);
            let mut out = Vec::new();
            let mut decoder = Decoder::of(&facts).unwrap();
            for piece in text.chunks(size) {
                decoder.feed(piece, &mut out);
            }
            decoder.finish(&mut out);
            out
        };
        let whole = facts(usize::MAX);
        for size in 1..4 {
            assert_eq!(facts(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn transfer_encodings_as_they_come() {
        let table: [(&str, &[u8], &[u8]); 22] = [
            ("base64", b"TVo=", b"MZ"),
            ("base64", b"TVqQ", b"MZ\x90"),
            ("base64", b"TV\r\n q Q\r\n", b"MZ\x90"),
            ("base64", b"T!V\0o", b"MZ"),
            ("base64", b"TVo=TVo=", b"MZMZ"),
            ("base64", b"TQ==\r\nWg==", b"MZ"),
            ("base64", b"T", b""),
            ("base64", b"====", b""),
            ("base64", b"", b""),
            ("quoted-printable", b"a=3Db", b"a=b"),
            ("quoted-printable", b"a=3db=C3=A9", "a=b\u{e9}".as_bytes()),
            ("quoted-printable", b"a=\r\nb", b"ab"),
            ("quoted-printable", b"a= \t\r\nb", b"ab"),
            ("quoted-printable", b"a=\nb", b"ab"),
            ("quoted-printable", b"a \t\r\n b", b"a\r\n b"),
            ("quoted-printable", b"a=XYb", b"a=XYb"),
            ("quoted-printable", b"a=3Yb==3D", b"a=3Yb=="),
            ("quoted-printable", b"a=", b"a="),
            ("quoted-printable", b"a=3", b"a=3"),
            ("quoted-printable", b"a =3D", b"a ="),
            ("quoted-printable", b"a=  b", b"a=  b"),
            ("quoted-printable", b"a  ", b"a  "),
        ];
        for (encoding, text, expected) in table {
            let got = decoded(encoding, "application/x", None, text);
            assert_eq!(
                got,
                expected,
                "{encoding} {:?}",
                text.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn charsets_become_utf_8() {
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
            let got = decoded("7bit", "text/plain", Some(charset), text);
            assert_eq!(String::from_utf8(got).unwrap(), expected, "{charset}");
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
            let got = decoded("binary", "text/plain", Some(charset), &[0xFF; 3_000]);
            assert!(got.len() <= 9_003, "{charset}: {}", got.len());
        }
    }

    #[test]
    fn what_is_its_own_decoded_form_needs_no_decoder() {
        assert!(Decoder::of(&Facts::new("image/png")).is_none());
        assert!(Decoder::of(&Facts::new("text/plain")).is_some());
    }

    #[test]
    fn white_space_without_end_is_not_held_back() {
        let mut quoted = Transfer::of("quoted-printable");
        let mut out = Vec::new();
        quoted.feed(&[b' '; 100_000], &mut out);
        assert!(out.len() > 90_000);
        quoted.finish(&mut out);
        assert_eq!(out.len(), 100_000);
    }
}
