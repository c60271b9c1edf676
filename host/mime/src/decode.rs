//! The content of a part without its transfer encoding, and text converted to UTF-8. Decoding in
//! pieces keeps the use of memory small.

use super::charset::Charset;
use super::facts::Facts;
use super::transfer::Transfer;

/// Decodes the content of one part.
pub(super) struct Decoder {
    transfer: Transfer,
    /// `None` if the content is not text.
    charset: Option<Charset>,
    /// The last piece without its transfer encoding. Kept to reuse its memory.
    octets: Vec<u8>,
}

impl Decoder {
    /// A decoder for the content of a part. Returns `None` if the content needs no decoding.
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

    /// Decodes the next piece and appends the result to `out`.
    pub(super) fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let Some(charset) = &mut self.charset else {
            self.transfer.feed(octets, out);
            return;
        };
        self.octets.clear();
        self.transfer.feed(octets, &mut self.octets);
        charset.feed(&self.octets, out, false);
    }

    /// Appends what was held back until more octets came.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: &str, content_type: &str, charset: Option<&str>, text: &[u8]) -> Vec<u8> {
        let in_pieces = |size| {
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
        let whole = in_pieces(usize::MAX);
        for size in 1..4 {
            assert_eq!(in_pieces(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn decodes_transfer_encodings() {
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
    fn binary_content_without_transfer_encoding_needs_no_decoder() {
        assert!(Decoder::of(&Facts::new("image/png")).is_none());
        assert!(Decoder::of(&Facts::new("text/plain")).is_some());
    }
}
