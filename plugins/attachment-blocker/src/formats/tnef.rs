//! TNEF (MS-OXTNEF): `winmail.dat`, in which Outlook puts attachments.

use super::{File, Finding, Packing, Take, u32_at};
use crate::source::Source;

/// Reports the attachments.
pub(crate) fn walk(source: &dyn Source, take: &mut Take<'_>) -> Option<String> {
    // A signature and a key.
    let mut offset: u32 = 6;
    let mut title = String::new();
    // What is too short for an attribute is padding.
    while source.len().saturating_sub(offset) >= HEADER {
        let header = source.read(offset, HEADER);
        let (Some([1 | 2, ..]), Some(id), Some(length)) = (
            header.first_chunk::<1>(),
            u32_at(&header, 1),
            u32_at(&header, 5),
        ) else {
            return take(Finding::Closed("a malformed TNEF container"));
        };
        let begin = offset + HEADER;
        let next = begin
            .checked_add(length)
            .and_then(|end| end.checked_add(CHECKSUM));
        let Some(next) = next.filter(|next| *next <= source.len()) else {
            return take(Finding::Closed("a malformed TNEF container"));
        };
        let objection = match id {
            TITLE => {
                title = ansi(&source.read(begin, length.min(MAX_NAME)));
                take(Finding::Name(title.clone()))
            }
            DATA => file(&title, begin, length, take),
            PROPERTIES | ATTACHMENT => properties(source, begin, length, take),
            _ => None,
        };
        if objection.is_some() {
            return objection;
        }
        offset = next;
    }
    None
}

/// Reports the names and files in a list of MAPI properties, wherever they are in it. A property has a
/// tag, the number of its values, and for each its length and its octets.
fn properties(
    source: &dyn Source,
    offset: u32,
    length: u32,
    take: &mut Take<'_>,
) -> Option<String> {
    let end = offset + length;
    let mut at = offset;
    while at < end {
        let octets = source.read(at, WINDOW.min(end - at));
        for tag in memchr::memchr_iter(0x37, &octets).chain(memchr::memchr_iter(0x30, &octets)) {
            // The tag has the type in its first half, and the number in its second.
            let Some(start) = tag.checked_sub(3) else {
                continue;
            };
            let (Some(tag), Some(1), Some(length)) = (
                u32_at(&octets, start),
                u32_at(&octets, start + 4),
                u32_at(&octets, start + 8),
            ) else {
                continue;
            };
            let value = || {
                octets[start + 12..]
                    .iter()
                    .copied()
                    .take(length.min(MAX_NAME) as usize)
            };
            let begin = at + start as u32 + 12;
            let objection = match tag {
                0x3001_001e | 0x3703_001e | 0x3704_001e | 0x3707_001e => {
                    take(Finding::Name(ansi(&value().collect::<Vec<_>>())))
                }
                0x3001_001f | 0x3703_001f | 0x3704_001f | 0x3707_001f => {
                    take(Finding::Name(unicode(&value().collect::<Vec<_>>())))
                }
                0x3701_0102 => file("", begin, length, take),
                // The id of an interface precedes an embedded message.
                0x3701_000d => file(
                    "",
                    begin.saturating_add(16),
                    length.saturating_sub(16),
                    take,
                ),
                _ => None,
            };
            if objection.is_some() {
                return objection;
            }
        }
        match octets.len() as u32 > OVERLAP {
            true => at += octets.len() as u32 - OVERLAP,
            false => return None,
        }
    }
    None
}

fn file(name: &str, offset: u32, length: u32, take: &mut Take<'_>) -> Option<String> {
    take(Finding::File(File {
        name: name.into(),
        offset,
        length,
        packing: Packing::Stored,
        is_stated: true,
    }))
}

fn ansi(octets: &[u8]) -> String {
    let end = octets.iter().position(|octet| *octet == 0);
    String::from_utf8_lossy(&octets[..end.unwrap_or(octets.len())]).into()
}

fn unicode(octets: &[u8]) -> String {
    let units = octets
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let units: Vec<_> = units.take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&units)
}

/// A level, an id and a length.
const HEADER: u32 = 9;
/// The size of the checksum behind an attribute, in octets.
const CHECKSUM: u32 = 2;
/// `attAttachTitle`.
const TITLE: u32 = 0x0001_8010;
/// `attAttachData`.
const DATA: u32 = 0x0006_800f;
/// `attMAPIProps`.
const PROPERTIES: u32 = 0x0006_9003;
/// `attAttachment`.
const ATTACHMENT: u32 = 0x0006_9005;
/// The part of a name that is looked at, in octets.
const MAX_NAME: u32 = 2_048;
/// How many octets are read at a time.
const WINDOW: u32 = 65_536;
/// Longer than a property with a name.
const OVERLAP: u32 = 2_304;
