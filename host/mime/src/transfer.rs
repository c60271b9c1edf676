//! Transfer encodings: base64 and quoted-printable (RFC 2045 §6).

/// Decodes a transfer encoding piece by piece. Like mail readers, it skips or keeps what does not
/// belong to the encoding, and never fails.
pub(super) enum Transfer {
    Base64 {
        /// The digits of an incomplete group, six bits each.
        digits: u32,
        /// The number of these digits.
        count: u32,
    },
    None,
    QuotedPrintable(QuotedPrintable),
}

impl Transfer {
    /// The encoding of this name, or [`Self::None`] if the name is not known.
    pub(super) fn of(encoding: &str) -> Self {
        match encoding {
            "base64" => Self::Base64 {
                digits: 0,
                count: 0,
            },
            "quoted-printable" => Self::QuotedPrintable(QuotedPrintable::default()),
            _ => Self::None,
        }
    }

    /// Decodes the next piece and appends the result to `out`.
    pub(super) fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
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

    /// Appends what was held back until more octets came.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Base64 { digits, count } => end_base64(digits, count, out),
            Self::None => {}
            Self::QuotedPrintable(quoted) => quoted.take_literally(out),
        }
    }
}

/// Appends the octets of an incomplete group. More groups may follow: some senders concatenate
/// encoded texts.
fn end_base64(digits: &mut u32, count: &mut u32, out: &mut Vec<u8>) {
    let octets = (*digits << (6 * (4 - *count))).to_be_bytes();
    let whole = count.saturating_sub(1) as usize;
    out.extend_from_slice(&octets[1..=whole]);
    (*digits, *count) = (0, 0);
}

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
