//! The headers of ZIP archives (APPNOTE 4.3).
//!
//! Each entry has its name in a local header and in a directory, and programs find them in different
//! ways: from the end, from the beginning, or by looking for signatures. Whatever has a signature is
//! therefore an entry.

use super::{File, Finding, Packing, Take, u32_at};

/// The header of an entry, in front of its octets or in a directory.
struct Header<'a> {
    is_local: bool,
    flags: u16,
    method: u16,
    /// The size of the packed octets.
    packed: u32,
    /// The size of the unpacked octets.
    size: u32,
    name: &'a [u8],
    extra: &'a [u8],
    /// The size of the header.
    length: usize,
}

impl<'a> Header<'a> {
    fn parse(octets: &'a [u8]) -> Option<Self> {
        let (is_local, fixed, flags, name) = match octets.get(..4)? {
            b"PK\x03\x04" => (true, 30, 6, 26),
            b"PK\x01\x02" => (false, 46, 8, 28),
            _ => return None,
        };
        let rest = octets.get(fixed..)?;
        let name_length = usize::from(u16_at(octets, name));
        let extra_length = usize::from(u16_at(octets, name + 2));
        let (name, rest) = rest.split_at(name_length.min(rest.len()));
        Some(Self {
            is_local,
            flags: u16_at(octets, flags),
            method: u16_at(octets, flags + 2),
            packed: u32_at(octets, flags + 12)?,
            size: u32_at(octets, flags + 16)?,
            name,
            extra: &rest[..extra_length.min(rest.len())],
            length: fixed + name_length + extra_length,
        })
    }

    /// Why the entry cannot be looked into.
    fn closed(&self) -> Option<&'static str> {
        if !METHODS.contains(&self.method) {
            // The octets look like a header by accident, or no program can unpack the entry.
            return None;
        }
        if self.flags & ENCRYPTED_DIRECTORY != 0 {
            return Some("an archive with an encrypted directory");
        }
        if self.flags & ENCRYPTED != 0 || self.method == AES {
            return Some("an archive with encrypted files");
        }
        if self.name.len() > MAX_NAME {
            return Some("an archive with very long names");
        }
        (!matches!(self.method, STORED | DEFLATED))
            .then_some("an archive with an unusual compression")
    }

    /// True for the entry of a directory, which has no octets. A backslash at the end of a name makes a
    /// directory only to some programs.
    fn is_directory(&self, name: &[u8]) -> bool {
        // Some programs pack even nothing.
        let is_packed_nothing = self.method == DEFLATED && self.packed <= MAX_NOTHING;
        let is_empty = self.packed == 0 || is_packed_nothing && self.size == 0;
        match name.last() {
            Some(b'/') => is_empty,
            Some(b'\\') => is_empty && self.flags & SIZE_BEHIND == 0,
            _ => false,
        }
    }

    /// The names in the header: the usual one, and that of Info-ZIP for Unicode.
    fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.extra;
        let fields = std::iter::from_fn(move || {
            let (id, size) = (rest.get(..2)?, usize::from(u16_at(rest.get(..4)?, 2)));
            let field = &rest[4..(4 + size).min(rest.len())];
            rest = rest.get(4 + size..).unwrap_or_default();
            Some((id, field))
        });
        // A version, a checksum, and the name.
        let unicode = fields.filter_map(|(id, field)| (id == b"up").then(|| field.get(5..))?);
        std::iter::once(self.name).chain(unicode)
    }
}

/// Reports the entry whose header begins here, at `offset` of the content. Returns how many octets the
/// header has.
pub(crate) fn entry(octets: &[u8], offset: u32, take: &mut Take<'_>) -> (u32, Option<String>) {
    let Some(header) = Header::parse(octets) else {
        return (0, None);
    };
    (header.length as u32, report(&header, offset, take))
}

fn report(header: &Header<'_>, offset: u32, take: &mut Take<'_>) -> Option<String> {
    for name in header.names().filter(|name| !header.is_directory(name)) {
        let name = &name[..name.len().min(MAX_NAME)];
        if let Some(objection) = take(Finding::Name(String::from_utf8_lossy(name).into())) {
            return Some(objection);
        }
    }
    if let Some(reason) = header.closed() {
        return take(Finding::Closed(reason));
    }
    if !header.is_local || header.flags & (ENCRYPTED | ENCRYPTED_DIRECTORY) != 0 {
        return None;
    }
    let file = |packing, method, length| {
        Finding::File(File {
            name: String::from_utf8_lossy(header.name).into(),
            offset: offset.saturating_add(header.length as u32),
            length,
            packing,
            is_stated: header.method == method,
        })
    };
    // The directory may say something else about how the octets are stored, or where they end.
    let length = match header.packed {
        0 => u32::MAX,
        length => length,
    };
    take(file(Packing::Stored, STORED, length))
        .or_else(|| take(file(Packing::Deflated, DEFLATED, u32::MAX)))
}

fn u16_at(octets: &[u8], at: usize) -> u16 {
    match octets.get(at..at + 2) {
        Some(&[low, high]) => u16::from_le_bytes([low, high]),
        _ => 0,
    }
}

const STORED: u16 = 0;
/// The size of no octets packed with Deflate, at most.
const MAX_NOTHING: u32 = 5;
const DEFLATED: u16 = 8;
const AES: u16 = 99;
/// All methods of APPNOTE 4.4.5.
const METHODS: [u16; 23] = [
    STORED, 1, 2, 3, 4, 5, 6, 7, DEFLATED, 9, 10, 12, 14, 16, 18, 19, 20, 93, 94, 95, 96, 97, AES,
];
/// The bit of an encrypted entry.
const ENCRYPTED: u16 = 1;
/// The bit of an entry whose size comes behind its octets.
const SIZE_BEHIND: u16 = 1 << 3;
/// The bit that says that the names in the headers are none, since the directory is encrypted.
const ENCRYPTED_DIRECTORY: u16 = 1 << 13;
/// The longest name of an entry, in octets.
const MAX_NAME: usize = 1_024;
