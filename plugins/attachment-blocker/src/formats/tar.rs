//! tar archives: ustar and pax (POSIX.1-2001), and the extensions of GNU.

use super::{File, Finding, Packing, Take};
use crate::content::is_tar;
use crate::source::Source;

/// Reports the files of an archive.
pub(crate) fn walk(source: &dyn Source, take: &mut Take<'_>) -> Option<String> {
    let mut names = Vec::new();
    let mut size = None;
    let mut offset = 0;
    loop {
        let header = source.read(offset, BLOCK);
        if header.iter().all(|octet| *octet == 0) {
            return None;
        }
        let length = number(header.get(124..136).unwrap_or_default());
        let (true, Some(written)) = (is_tar(&header), length) else {
            return take(Finding::Closed("a malformed tar archive"));
        };
        let begin = offset + BLOCK;
        let kind = header[156];
        let mut length = written;
        if let b'L' | b'g' | b'x' = kind {
            let octets = source.read(begin, written.min(MAX_EXTENSION));
            match kind {
                b'L' => names.push(text(&octets)),
                _ => read_pax(&octets, &mut names, &mut size),
            }
        } else if kind != b'K' {
            // Programs that do not know pax find other files.
            if size.is_some_and(|size| written != 0 && size != written) {
                return take(Finding::Closed("a tar archive with two sizes of a file"));
            }
            length = size.take().unwrap_or(written);
            names.push(name(&header));
            // The names of directories decide nothing, unless there are octets.
            names.retain(|name| !name.ends_with('/') || kind != b'5' && length > 0);
            if let Some(objection) = report(&names, begin, length, take) {
                return Some(objection);
            }
            names.clear();
        }
        // No message is so long that a further file could follow.
        offset = begin.checked_add(length.checked_next_multiple_of(BLOCK)?)?;
    }
}

fn report(names: &[String], offset: u32, length: u32, take: &mut Take<'_>) -> Option<String> {
    for name in names {
        if let Some(objection) = take(Finding::Name(name.clone())) {
            return Some(objection);
        }
    }
    take(Finding::File(File {
        name: names.first().cloned().unwrap_or_default(),
        offset,
        length,
        packing: Packing::Stored,
        is_stated: true,
    }))
}

/// The name in a header: a prefix, and the rest of the path.
fn name(header: &[u8]) -> String {
    let name = text(&header[..100]);
    match &header[257..262] == b"ustar" && header[345] != 0 {
        true => format!("{}/{name}", text(&header[345..500])),
        false => name,
    }
}

/// Reads records such as `20 path=folder/name\n`.
fn read_pax(octets: &[u8], names: &mut Vec<String>, size: &mut Option<u32>) {
    for record in octets.split(|octet| matches!(octet, b'\n' | 0)) {
        let record = String::from_utf8_lossy(record);
        let Some((key, value)) = record
            .split_once(' ')
            .and_then(|(_, record)| record.split_once('='))
        else {
            continue;
        };
        match key {
            "GNU.sparse.name" | "path" => names.push(value.into()),
            "size" => *size = value.parse().ok().or(Some(u32::MAX)),
            _ => {}
        }
    }
}

/// A number in octal digits, or in binary if the first bit is set (GNU).
fn number(field: &[u8]) -> Option<u32> {
    if let [0x80, rest @ ..] = field {
        return rest.iter().try_fold(0_u32, |number, octet| {
            Some(number.checked_mul(256)? + u32::from(*octet))
        });
    }
    let digits = text(field);
    let digits = digits.trim();
    if digits.is_empty() {
        return Some(0);
    }
    let is_octal = digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    u32::from_str_radix(digits, 8).ok().filter(|_| is_octal)
}

/// The text up to the first NUL.
fn text(octets: &[u8]) -> String {
    let end = octets.iter().position(|octet| *octet == 0);
    String::from_utf8_lossy(&octets[..end.unwrap_or(octets.len())]).into()
}

/// The size of a block in octets.
const BLOCK: u32 = 512;
/// The part of an extended header that is looked at, in octets.
const MAX_EXTENSION: u32 = 65_536;
