//! Transfer encodings: base64 and quoted-printable (RFC 2045 §6).

/// Decodes a transfer encoding piece by piece. Like mail readers, it skips or keeps what does not
/// belong to the encoding, and never fails.
pub(super) enum Transfer {
    Base64(Base64),
    None,
    QuotedPrintable(QuotedPrintable),
}

impl Transfer {
    /// The encoding of this name, or [`Self::None`] if the name is not known.
    pub(super) fn of(encoding: &str) -> Self {
        match encoding {
            "base64" => Self::Base64(Base64::default()),
            "quoted-printable" => Self::QuotedPrintable(QuotedPrintable::default()),
            _ => Self::None,
        }
    }

    /// True if the content needs no decoding.
    pub(super) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Decodes the next piece and appends the result to `out`.
    pub(super) fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Base64(base64) => base64.octets(octets, out),
            Self::None => out.extend_from_slice(octets),
            Self::QuotedPrintable(quoted) => octets.iter().for_each(|o| quoted.octet(*o, out)),
        }
    }

    /// Appends what was held back until more octets came.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Base64(base64) => {
                base64.is_malformed |= base64.count == 1;
                base64.end_group(out);
            }
            Self::None => {}
            Self::QuotedPrintable(quoted) => quoted.take_literally(out),
        }
    }

    /// True if no two programs need to agree on the content, since more base64 follows its padding: some
    /// decode it, with or without the digits before, and others stop. A text may follow, such as the
    /// footer of a mailing list.
    pub(super) const fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Base64(base64) if base64.is_continued)
    }

    /// True if the content so far breaks the rules of the encoding, so that programs may decode it
    /// in different ways.
    pub(super) const fn is_malformed(&self) -> bool {
        match self {
            Self::Base64(base64) => base64.is_malformed,
            Self::None => false,
            Self::QuotedPrintable(quoted) => quoted.is_malformed,
        }
    }
}

/// A group of base64 digits that is not complete.
#[derive(Default)]
pub(super) struct Base64 {
    /// The digits, six bits each.
    digits: u32,
    /// The number of these digits.
    count: u32,
    /// True after one equals sign behind two digits, which need two.
    is_half_padded: bool,
    /// True if there was padding, after which nothing should follow.
    is_padded: bool,
    /// The digits in a row behind padding, over the ends of lines.
    run: u32,
    /// True if digits follow padding in the same line, or more in a row than in a text.
    is_continued: bool,
    is_malformed: bool,
    /// True if the last octet was an equals sign that ended a group.
    is_after_padding: bool,
}

impl Base64 {
    fn octets(&mut self, mut octets: &[u8], out: &mut Vec<u8>) {
        out.reserve(octets.len() / 4 * 3);
        while let [octet, rest @ ..] = octets {
            // Nearly all of a line are whole groups.
            if self.count == 0
                && !self.is_padded
                && let Some((group, rest)) = octets.split_first_chunk::<4>()
                && let digits = group.map(|octet| u32::from(DIGITS[usize::from(octet)]))
                && digits.iter().all(|digit| *digit < 64)
            {
                let bits = digits.iter().fold(0, |bits, digit| bits << 6 | digit);
                out.extend_from_slice(&bits.to_be_bytes()[1..]);
                octets = rest;
                continue;
            }
            self.octet(*octet, out);
            octets = rest;
        }
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        match DIGITS[usize::from(octet)] {
            NO_DIGIT if octet == b'=' => self.padding(out),
            NO_DIGIT => {
                self.is_malformed |= !octet.is_ascii_whitespace();
                let is_line_end = matches!(octet, b'\r' | b'\n');
                self.is_after_padding &= !is_line_end;
                if !is_line_end {
                    self.run = 0;
                }
            }
            digit => {
                self.is_malformed |= self.is_padded || self.is_half_padded;
                self.run = self.run.saturating_add(self.is_padded.into());
                self.is_continued |= self.is_after_padding || self.run > MAX_RUN;
                self.is_half_padded = false;
                self.digits = self.digits << 6 | u32::from(digit);
                self.count += 1;
                if self.count == 4 {
                    out.extend_from_slice(&self.digits.to_be_bytes()[1..]);
                    (self.digits, self.count) = (0, 0);
                }
            }
        }
    }

    /// Takes an equals sign. Two of them fill a group of two digits, and one fills a group of three.
    /// Programs skip all others.
    fn padding(&mut self, out: &mut Vec<u8>) {
        match self.count {
            2 if !self.is_half_padded => self.is_half_padded = true,
            2 | 3 => {
                self.end_group(out);
                self.is_half_padded = false;
                self.is_padded = true;
                self.is_after_padding = true;
            }
            // More of it than necessary does no harm at the end.
            _ => self.is_malformed |= !(self.is_padded && self.count == 0),
        }
    }

    /// Appends the octets of an incomplete group. More groups may follow: some senders concatenate
    /// encoded texts.
    fn end_group(&mut self, out: &mut Vec<u8>) {
        let octets = (self.digits << (6 * (4 - self.count))).to_be_bytes();
        let whole = self.count.saturating_sub(1) as usize;
        out.extend_from_slice(&octets[1..=whole]);
        (self.digits, self.count) = (0, 0);
    }
}

/// More digits in a row than a text has letters without any space or punctuation.
const MAX_RUN: u32 = 60;

/// The value of each base64 digit (RFC 4648 §4).
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

/// The octets of quoted-printable whose meaning depends on those that follow.
#[derive(Default)]
pub(super) struct QuotedPrintable {
    /// White space, which is dropped at the end of a line; or an equals sign with the octets after
    /// it.
    waiting: Vec<u8>,
    is_malformed: bool,
}

impl QuotedPrintable {
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
                self.take_literally(out);
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
                self.take_literally(out);
                self.octet(octet, out);
            }
        }
    }

    /// Appends the waiting octets without decoding them.
    fn take_literally(&mut self, out: &mut Vec<u8>) {
        self.is_malformed |= self.waiting.first() == Some(&b'=');
        out.append(&mut self.waiting);
    }
}

fn hexadecimal(digit: u8) -> u8 {
    // Never the default: callers pass digits only.
    char::from(digit).to_digit(16).unwrap_or_default() as u8
}

/// The most white space that is held back in quoted-printable, in octets; RFC 2045 §6.7 allows
/// lines of 76.
const MAX_WAITING: usize = 998;

#[cfg(test)]
mod tests {
    use super::*;

    /// The decoded content, and true if it is malformed.
    fn decoded(encoding: &str, text: &[u8]) -> (Vec<u8>, bool) {
        let in_pieces = |size| {
            let (mut transfer, mut out) = (Transfer::of(encoding), Vec::new());
            for piece in text.chunks(size) {
                transfer.feed(piece, &mut out);
            }
            transfer.finish(&mut out);
            (out, transfer.is_malformed())
        };
        let whole = in_pieces(usize::MAX);
        for size in 1..4 {
            assert_eq!(in_pieces(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn decodes_transfer_encodings() {
        let table: [(&str, &[u8], &[u8]); 27] = [
            // Equals signs that fill no group.
            ("base64", b"T=VqQ", b"MZ\x90"),
            ("base64", b"=TVqQ", b"MZ\x90"),
            ("base64", b"==T==VqQ", b"MZ\x90"),
            ("base64", b"TV=qQ", b"MZ\x90"),
            ("base64", b"B=BBB\r\nTVqQ", b"\x04\x10\x41MZ\x90"),
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
            let text_shown = text.escape_ascii();
            assert_eq!(
                decoded(encoding, text).0,
                expected,
                "{encoding} {text_shown}"
            );
        }
    }

    #[test]
    fn content_that_breaks_the_rules_is_malformed() {
        let table: [(&str, &[u8], bool); 20] = [
            ("base64", b"TQ=", false),
            ("base64", b"TQ===", false),
            ("base64", b"T=VqQ", true),
            ("base64", b"TVo=\r\n", false),
            ("base64", b"TVqQ", false),
            ("base64", b"TVo", false),
            ("base64", b"TQ==", false),
            ("base64", b"T V\tq\r\nQ", false),
            ("base64", b"T!Vo=", true),
            ("base64", b"T-Vo=", true),
            ("base64", b"TV=qQ", true),
            ("base64", b"TVo=\r\nfooter", true),
            ("base64", b"T", true),
            ("base64", b"=TVo", true),
            ("quoted-printable", b"a=3Db =\r\n", false),
            ("quoted-printable", b"a=3db", false),
            ("quoted-printable", b"a=XY", true),
            ("quoted-printable", b"a=3", true),
            ("quoted-printable", b"a=", true),
            ("7bit", b"a=XY", false),
        ];
        for (encoding, text, expected) in table {
            let text_shown = text.escape_ascii();
            assert_eq!(
                decoded(encoding, text).1,
                expected,
                "{encoding} {text_shown}"
            );
        }
    }

    #[test]
    fn more_base64_behind_padding_is_ambiguous() {
        let line = "A".repeat(40);
        let lines = format!("TVo=\r\n{line}\r\n{line}\r\n");
        let words = format!("TVo=\r\n{line} {line}\r\n {line}");
        for (text, expected) in [
            (lines.as_str(), true),
            (words.as_str(), false),
            ("TVo=", false),
            ("TVo=\r\nTVo=", false),
            ("TVo=\r\n-- \r\na footer", false),
            ("TV=qQ", false),
            ("TVo=TVo=", true),
            ("TQ==Wg==", true),
            ("TVo= T", true),
            ("TVo=-T", true),
        ] {
            let (mut transfer, mut out) = (Transfer::of("base64"), Vec::new());
            transfer.feed(text.as_bytes(), &mut out);
            assert_eq!(transfer.is_ambiguous(), expected, "{text}");
        }
    }

    #[test]
    fn endless_white_space_is_not_held_back() {
        let mut quoted = Transfer::of("quoted-printable");
        let mut out = Vec::new();
        quoted.feed(&[b' '; 100_000], &mut out);
        assert!(out.len() > 90_000);
        quoted.finish(&mut out);
        assert_eq!(out.len(), 100_000);
    }
}
