//! Decoding and encoding of messages.

use postgate_proto::client::BodyEncoder;
use postgate_proto::data::{DataDecoder, Decoded, LineEndings};

/// The decoded message and its end do not depend on how the input is cut.
pub fn data(octets: &[u8]) {
    for mode in MODES {
        let whole = decode(octets, mode, usize::MAX);
        for size in [1, 2, 3, 7] {
            let cut = decode(octets, mode, size);
            assert_eq!(cut, whole, "{mode:?} in pieces of {size}");
        }
        assert_mended(&whole.text, mode);
    }
}

const MODES: [LineEndings; 4] = [
    LineEndings::Ensure,
    LineEndings::EnsureLegacy,
    LineEndings::Leave,
    LineEndings::Strict,
];

/// In modes that correct line endings, all line endings are CRLF.
fn assert_mended(text: &[u8], mode: LineEndings) {
    if !matches!(mode, LineEndings::Ensure | LineEndings::EnsureLegacy) {
        return;
    }
    let mut before = 0;
    for octet in text.iter().copied().chain([0]) {
        let is_whole = (before == b'\r') == (octet == b'\n');
        assert!(is_whole, "{}", text.escape_ascii());
        before = octet;
    }
}

/// A message of lines is encoded so that it ends at its end, and decodes to itself. Any other is an
/// error.
pub fn body(octets: &[u8]) {
    let wire = encode(octets, usize::MAX);
    for size in [1, 2, 3, 7] {
        assert_eq!(encode(octets, size), wire, "in pieces of {size}");
    }
    assert_eq!(wire.is_some(), is_lines(octets));
    let Some(wire) = wire else {
        return;
    };
    let decoded = decode(&wire, LineEndings::Strict, usize::MAX);
    assert_eq!(
        decoded.used,
        Some(wire.len()),
        "an early end in {}",
        wire.escape_ascii()
    );
    assert!(
        !decoded.is_flawed,
        "a bare CR or LF in {}",
        wire.escape_ascii()
    );
    assert_eq!(decoded.text, octets);
}

/// A decoded message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    text: Vec<u8>,
    is_flawed: bool,
    /// The length of the encoded message in octets. `None` without an end.
    used: Option<usize>,
}

fn decode(octets: &[u8], mode: LineEndings, size: usize) -> Message {
    let mut decoder = DataDecoder::new(mode);
    let mut message = Message::default();
    let mut used = 0;
    'pieces: for piece in octets.chunks(size.min(octets.len().max(1))) {
        let mut rest = piece;
        loop {
            let (consumed, decoded) = decoder.decode(rest);
            match decoded {
                Decoded::End => {
                    message.used = Some(used + consumed);
                    break 'pieces;
                }
                Decoded::Fixed(octets) => message.text.extend_from_slice(octets),
                Decoded::NeedMore => {
                    used += consumed;
                    break;
                }
                Decoded::Text(range) => message.text.extend_from_slice(&rest[range]),
            }
            used += consumed;
            rest = &rest[consumed..];
        }
    }
    message.is_flawed = decoder.flaw().is_some();
    message
}

/// The encoded message. Returns `None` if it is not encoded.
fn encode(octets: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut encoder = BodyEncoder::new();
    let mut wire = Vec::new();
    for piece in octets.chunks(size.min(octets.len().max(1))) {
        encoder.encode(piece, &mut wire).ok()?;
    }
    encoder.finish(&mut wire).ok()?;
    Some(wire)
}

/// True for lines that end with CRLF, none of which begins with NULs and a dot.
fn is_lines(octets: &[u8]) -> bool {
    let mut rest = octets;
    while let Some(end) = rest.iter().position(|octet| matches!(octet, b'\r' | b'\n')) {
        let (line, after) = rest.split_at(end);
        let nuls = line.iter().take_while(|octet| **octet == 0).count();
        let Some(after) = after.strip_prefix(b"\r\n") else {
            return false;
        };
        if nuls > 0 && line[nuls..].starts_with(b".") {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}
