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

/// An encoded message ends at its end, and decodes to the message with corrected line endings.
pub fn body(octets: &[u8]) {
    let wire = encode(octets, usize::MAX);
    for size in [1, 2, 3, 7] {
        assert_eq!(encode(octets, size), wire, "in pieces of {size}");
    }
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
    assert_eq!(decoded.text, mended(octets));
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

fn encode(octets: &[u8], size: usize) -> Vec<u8> {
    let mut encoder = BodyEncoder::new();
    let mut wire = Vec::new();
    for piece in octets.chunks(size.min(octets.len().max(1))) {
        encoder.encode(piece, &mut wire);
    }
    encoder.finish(&mut wire);
    wire
}

/// Replaces bare CR and bare LF by CRLF, completes the last line, and doubles a dot after NULs at the
/// start of a line.
fn mended(octets: &[u8]) -> Vec<u8> {
    let mut mended = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let end = rest.iter().position(|octet| matches!(octet, b'\r' | b'\n'));
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        let nuls = line.iter().take_while(|octet| **octet == 0).count();
        let (nuls, text) = line.split_at(nuls);
        mended.extend_from_slice(nuls);
        if !nuls.is_empty() && text.starts_with(b".") {
            mended.push(b'.');
        }
        mended.extend_from_slice(text);
        mended.extend_from_slice(b"\r\n");
        rest = match after {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => after,
        };
    }
    mended
}
