//! Names of attached files that are inside of content: entries of ZIP archives, and attachments that
//! are encoded in a text. One pass over the octets, wherever a reader would begin.

/// The source of the octets.
pub(crate) trait Source {
    /// The octets from `offset` on, at most `length`. Fewer at the end, and if there is a limit.
    fn read(&self, offset: u32, length: u32) -> Vec<u8>;
}

/// What was found in content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The name of an entry or of an encoded attachment.
    Name(String),
    /// Something that cannot be looked into.
    Closed(&'static str),
}

/// Passes everything that is found to `take`, until it returns something.
///
/// Each entry of a ZIP archive has its name in a local header and in a directory (APPNOTE 4.3), and
/// programs find them in different ways: from the end, from the beginning, or by looking for
/// signatures. Whatever has a signature is therefore an entry.
pub(crate) fn scan<T>(
    source: &impl Source,
    mut take: impl FnMut(Finding) -> Option<T>,
) -> Option<T> {
    let mut offset = 0_u32;
    let mut examined = 0;
    loop {
        let octets = source.read(offset, WINDOW);
        let is_last = octets.len() < WINDOW as usize;
        let length = match is_last {
            true => octets.len(),
            false => octets.len() - OVERLAP,
        };
        let mut findings = Vec::new();
        if offset == 0 {
            findings.extend(encoded(&octets));
        }
        for at in memchr::memchr3_iter(b'P', b'\n', b'\r', &octets[..length]) {
            match octets[at] {
                b'P' if octets[at..].starts_with(b"PK") => {
                    examined += entry(&octets[at..], &mut findings);
                }
                b'P' => {}
                _ => findings.extend(encoded(&octets[at + 1..])),
            }
            for finding in findings.drain(..) {
                if let Some(found) = take(finding) {
                    return Some(found);
                }
            }
            if examined > MAX_EXAMINED {
                return take(Finding::Closed("of too many entries"));
            }
        }
        if is_last {
            return findings.drain(..).find_map(take);
        }
        offset = offset.saturating_add(length as u32);
    }
}

/// Adds the names in the header of an entry that begins here, and returns how many octets they and
/// what is around them take.
fn entry(header: &[u8], found: &mut Vec<Finding>) -> usize {
    let (fixed, at) = match header.get(..4) {
        Some(b"PK\x03\x04") => (30, 26),
        Some(b"PK\x01\x02") => (46, 28),
        _ => return 0,
    };
    if header.len() < fixed {
        return 0;
    }
    let (length, extra_length) = (
        usize::from(u16_at(header, at)),
        usize::from(u16_at(header, at + 2)),
    );
    if length > MAX_NAME || extra_length > MAX_EXTRA {
        found.push(Finding::Closed("an archive with very long names"));
        return fixed;
    }
    // Bit 13: the directory is encrypted, and this name is none.
    if u16_at(header, at - 20) & 1 << 13 != 0 {
        found.push(Finding::Closed("an archive with an encrypted directory"));
    }
    let name_of = |name: &[u8]| Finding::Name(String::from_utf8_lossy(name).into());
    let rest = &header[fixed..];
    let (name, rest) = rest.split_at(length.min(rest.len()));
    found.push(name_of(name));
    let mut extra = &rest[..extra_length.min(rest.len())];
    while extra.len() >= 4 {
        let (id, size) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let field = &extra[4..(4 + size).min(extra.len())];
        // Info-ZIP Unicode Path: a version, a checksum, and another name.
        if id == 0x7075 && field.len() > 5 {
            found.push(name_of(&field[5..]));
        }
        extra = extra.get(4 + size..).unwrap_or_default();
    }
    fixed + length + extra_length
}

/// An attachment encoded in a text that begins with this line: uuencode, yEnc or BinHex.
fn encoded(text: &[u8]) -> Option<Finding> {
    let mut lines = text.split(|octet| matches!(octet, b'\r' | b'\n'));
    let line = lines.next().unwrap_or_default();
    let line = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE)]);
    if let Some(rest) = line.strip_prefix("=ybegin ") {
        let name = rest.split_once("name=")?.1;
        return Some(Finding::Name(name.trim().into()));
    }
    if line.starts_with("(This file must be converted with BinHex") {
        return Some(Finding::Closed("a BinHex file"));
    }
    let rest = line
        .strip_prefix("begin ")
        .or_else(|| line.strip_prefix("begin-base64 "))?;
    let (mode, name) = rest.trim_start().split_once(' ')?;
    let is_mode = (3..=5).contains(&mode.len()) && mode.bytes().all(|b| b.is_ascii_digit());
    is_mode.then(|| Finding::Name(name.trim().into()))
}

/// The caller has checked the length.
fn u16_at(octets: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([octets[at], octets[at + 1]])
}

/// How many octets are read at a time.
const WINDOW: u32 = 262_144;
/// Longer than the header of an entry with the longest name and extra field, or a line.
const OVERLAP: usize = 40_960;
/// The most octets that headers of entries may take in one attachment.
const MAX_EXAMINED: usize = 4 << 20;
/// The longest name of an entry, in octets: longer than any path that Windows or Linux takes.
const MAX_NAME: usize = 4_096;
/// The longest extra field of an entry, in octets.
const MAX_EXTRA: usize = 32_768;
/// The part of a line that is looked at, in octets.
const MAX_LINE: usize = 1_024;
