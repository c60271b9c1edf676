//! gzip (RFC 1952).

use super::{File, Finding, Packing, Take};
use crate::source::Source;

/// Reports the file in content that begins with the header of gzip.
pub(crate) fn walk(source: &dyn Source, take: &mut Take<'_>) -> Option<String> {
    let Some(header) = Header::at(source, 0) else {
        return take(Finding::Closed("a malformed gzip file"));
    };
    let name = String::from_utf8_lossy(&header.name).into_owned();
    if !name.is_empty()
        && let Some(objection) = take(Finding::Name(name.clone()))
    {
        return Some(objection);
    }
    take(Finding::File(File {
        name,
        offset: 0,
        length: source.len(),
        packing: Packing::Gzip,
        is_stated: true,
    }))
}

/// The offset of the deflated octets of the member whose header is at `offset`; `None` if there is no
/// such header.
pub(crate) fn member(source: &dyn Source, offset: u32) -> Option<u32> {
    Header::at(source, offset).map(|header| header.end)
}

struct Header {
    name: Vec<u8>,
    /// The offset after the header.
    end: u32,
}

impl Header {
    fn at(source: &dyn Source, offset: u32) -> Option<Self> {
        // Most headers are short.
        let of = |length| Self::parse(&source.read(offset, length), offset);
        of(FIRST).or_else(|| of(MAX_HEADER))
    }

    fn parse(octets: &[u8], offset: u32) -> Option<Self> {
        if !octets.starts_with(b"\x1f\x8b\x08") {
            return None;
        }
        let flags = *octets.get(3)?;
        let mut at = 10;
        if flags & EXTRA != 0 {
            let length = octets.get(at..at + 2)?;
            at += 2 + usize::from(u16::from_le_bytes([length[0], length[1]]));
        }
        let mut name = Vec::new();
        for flag in [NAME, COMMENT] {
            if flags & flag != 0 {
                let text = octets.get(at..)?;
                let end = text.iter().position(|octet| *octet == 0)?;
                if flag == NAME {
                    name = text[..end].to_vec();
                }
                at += end + 1;
            }
        }
        at += match flags & CHECKSUM {
            0 => 0,
            _ => 2,
        };
        Some(Self {
            name,
            end: offset + at as u32,
        })
    }
}

const CHECKSUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
/// How many octets are read first.
const FIRST: u32 = 512;
/// The longest header, in octets: the extra field can have 64 KiB.
const MAX_HEADER: u32 = 80_000;
