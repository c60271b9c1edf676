//! Attachments that are encoded in a text: uuencode, yEnc and BinHex.

use super::{File, Finding, Packing, Take};
use crate::source::{Source, Unpacked};

/// Reports the attachment that begins with this line, at `offset` of the content.
pub(crate) fn begin(text: &[u8], offset: u32, take: &mut Take<'_>) -> Option<String> {
    // Most lines are something else.
    if !matches!(text, [b'b', b'e', ..] | [b'=', b'y', ..] | [b'(', b'T', ..]) {
        return None;
    }
    let end = text.iter().position(|octet| matches!(octet, b'\r' | b'\n'));
    let line = &text[..end.unwrap_or(text.len()).min(MAX_LINE)];
    let shown = String::from_utf8_lossy(line);
    if shown.starts_with("(This file must be converted with BinHex") {
        return take(Finding::Closed("a BinHex file"));
    }
    let (name, packing) = attachment(&shown)?;
    if let Some(objection) = take(Finding::Name(name.to_owned())) {
        return Some(objection);
    }
    take(Finding::File(File {
        name: name.to_owned(),
        offset: offset.saturating_add(line.len() as u32),
        length: u32::MAX,
        packing,
        is_stated: true,
    }))
}

fn attachment(line: &str) -> Option<(&str, Packing)> {
    if let Some(rest) = line.strip_prefix("=ybegin ") {
        return Some((rest.split_once("name=")?.1.trim(), Packing::Yenc));
    }
    let (rest, packing) = match line.strip_prefix("begin ") {
        Some(rest) => (rest, Packing::Uu),
        None => (line.strip_prefix("begin-base64 ")?, Packing::Base64),
    };
    let (mode, name) = rest.trim_start().split_once(' ')?;
    let is_mode = (3..=5).contains(&mode.len()) && mode.bytes().all(|b| b.is_ascii_digit());
    is_mode.then(|| (name.trim(), packing))
}

/// Decodes the lines from `offset` on into `out`, at most `limit` octets of them, until they end. Returns
/// how many octets they had, and false if there are more.
pub(crate) fn decode(
    source: &dyn Source,
    offset: u32,
    packing: Packing,
    limit: u32,
    out: &mut Unpacked,
) -> (u32, bool) {
    let (mut used, mut length) = (0, FIRST);
    let (mut rest, mut decoded) = (Vec::new(), Vec::new());
    loop {
        let octets = source.read(offset.saturating_add(used), length);
        let is_last = octets.is_empty();
        used += octets.len() as u32;
        length = NEXT;
        rest.extend(octets);
        let last = memchr::memrchr(b'\n', &rest);
        let end = match is_last {
            true => rest.len(),
            false => last.map_or(0, |last| last + 1),
        };
        let mut from = 0;
        while from < end {
            let length = memchr::memchr(b'\n', &rest[from..end]).unwrap_or(end - from);
            let line = &rest[from..from + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let goes_on = decode_line(line, packing, &mut decoded);
            if !goes_on || decoded.len() >= BATCH {
                out.extend(&decoded);
                decoded.clear();
            }
            if !goes_on {
                return (used, true);
            }
            from += length + 1;
        }
        rest.drain(..end);
        out.extend(&decoded);
        decoded.clear();
        // No encoding has lines that long.
        if is_last || rest.len() > MAX_PIECE {
            return (used, true);
        }
        if used >= limit {
            return (used, false);
        }
    }
}

/// Decodes a line. Returns false for the last one.
fn decode_line(line: &[u8], packing: Packing, out: &mut Vec<u8>) -> bool {
    match packing {
        Packing::Uu => {
            let Some((first, line)) = line.split_first() else {
                return true;
            };
            if (*first, line) == (b'e', b"nd") {
                return false;
            }
            let count = usize::from(first.wrapping_sub(b' ') & 63);
            let digits = count.div_ceil(3) * 4;
            let digit = |octet: &u8| octet.wrapping_sub(b' ') & 63;
            extend_groups(line.iter().take(digits).map(digit), count, out);
        }
        Packing::Base64 => {
            if line.starts_with(b"====") {
                return false;
            }
            let count = line.iter().filter(|octet| digit(**octet).is_some()).count();
            extend_groups(
                line.iter().filter_map(|octet| digit(*octet)),
                count * 3 / 4,
                out,
            );
        }
        Packing::Yenc => {
            if line.starts_with(b"=yend") {
                return false;
            }
            if !line.starts_with(b"=ypart") {
                let mut octets = line.iter();
                while let Some(octet) = octets.next() {
                    out.push(match octet {
                        b'=' => octets.next().copied().unwrap_or_default().wrapping_sub(106),
                        octet => octet.wrapping_sub(42),
                    });
                }
            }
        }
        Packing::Deflated | Packing::Gzip | Packing::Stored => return false,
    }
    true
}

/// Appends `count` octets, of which four digits of six bits make three. Digits may lack at the end.
fn extend_groups(mut digits: impl Iterator<Item = u8>, count: usize, out: &mut Vec<u8>) {
    let end = out.len() + count;
    while out.len() < end {
        let mut digit = || u32::from(digits.next().unwrap_or_default());
        let bits = digit() << 18 | digit() << 12 | digit() << 6 | digit();
        out.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    out.truncate(end);
}

fn digit(octet: u8) -> Option<u8> {
    Some(match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// The part of a line with a name that is looked at, in octets.
const MAX_LINE: usize = 1_024;
/// How many octets are read first.
const FIRST: u32 = 2_048;
/// How many octets are read then.
const NEXT: u32 = 65_536;
/// How many octets are decoded before they are stored.
const BATCH: usize = 4_096;
/// The longest encoded line, in octets.
const MAX_PIECE: usize = 16_384;
