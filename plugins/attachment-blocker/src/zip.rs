//! The names of the entries in a ZIP archive, without unpacking anything (APPNOTE 4.3).

/// The source of the octets of an archive.
pub(crate) trait Source {
    /// The size in octets.
    fn size(&self) -> u32;

    /// The octets from `offset` on, at most `length`.
    fn read(&self, offset: u32, length: u32) -> Vec<u8>;
}

/// True if an archive begins with these octets, even an empty one.
pub(crate) fn is_zip(start: &[u8]) -> bool {
    start.starts_with(LOCAL_HEADER) || start.starts_with(END)
}

/// The names of the entries, from the central directory and from the local header of each entry.
/// Programs differ in which of them they use, so an archive may have a harmless name in one place
/// and a dangerous name in the other.
pub(crate) fn entry_names(archive: &impl Source) -> Result<Vec<String>, TooLarge> {
    let mut names = Vec::new();
    if let Some(directory) = central_directory(archive)? {
        read_directory(&directory, &mut names)?;
    }
    walk_local_headers(archive, &mut names)?;
    Ok(names)
}

/// The archive has more entries than the limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// The octets of the central directory; `None` if there is none.
fn central_directory(archive: &impl Source) -> Result<Option<Vec<u8>>, TooLarge> {
    let size = archive.size();
    let tail_length = size.min(END_LENGTH + MAX_COMMENT);
    let tail_start = size - tail_length;
    let tail = read_all(archive, tail_start, tail_length);
    let ends = tail.windows(END.len()).rposition(|window| window == END);
    let Some(end) = ends.and_then(|at| tail.get(at..at + END_LENGTH as usize)) else {
        return Ok(None);
    };
    let (length, offset) = (u32_at(end, 12), u32_at(end, 16));
    match length {
        _ if length > MAX_DIRECTORY => Err(TooLarge),
        _ => Ok(Some(read_all(archive, offset, length))),
    }
}

fn read_directory(mut directory: &[u8], names: &mut Vec<String>) -> Result<(), TooLarge> {
    while directory.starts_with(DIRECTORY_HEADER) && directory.len() >= 46 {
        let name = usize::from(u16_at(directory, 28));
        let rest = usize::from(u16_at(directory, 30)) + usize::from(u16_at(directory, 32));
        let Some(text) = directory.get(46..46 + name) else {
            break;
        };
        push(text, names)?;
        directory = directory.get(46 + name + rest..).unwrap_or_default();
    }
    Ok(())
}

/// Goes from entry to entry as long as the local headers contain the sizes.
fn walk_local_headers(archive: &impl Source, names: &mut Vec<String>) -> Result<(), TooLarge> {
    let mut offset = 0_u32;
    for _ in 0..MAX_ENTRIES {
        let header = archive.read(offset, 30);
        if !header.starts_with(LOCAL_HEADER) || header.len() < 30 {
            return Ok(());
        }
        let name = u32::from(u16_at(&header, 26));
        push(&archive.read(offset.saturating_add(30), name), names)?;
        // Bit 3: the sizes follow the data, so they cannot be found without unpacking.
        if u16_at(&header, 6) & 1 << 3 != 0 {
            return Ok(());
        }
        let extra = u32::from(u16_at(&header, 28));
        let length = (30 + name + extra).saturating_add(u32_at(&header, 18));
        offset = offset.saturating_add(length);
    }
    Err(TooLarge)
}

fn push(name: &[u8], names: &mut Vec<String>) -> Result<(), TooLarge> {
    if names.len() >= 2 * MAX_ENTRIES {
        return Err(TooLarge);
    }
    names.push(String::from_utf8_lossy(name).into());
    Ok(())
}

/// Reads on if one call returns less than requested.
fn read_all(archive: &impl Source, offset: u32, length: u32) -> Vec<u8> {
    let mut bytes = archive.read(offset, length);
    while (bytes.len() as u32) < length {
        let done = bytes.len() as u32;
        let more = archive.read(offset.saturating_add(done), length - done);
        if more.is_empty() {
            break;
        }
        bytes.extend(more);
    }
    bytes
}

/// The caller has checked the length.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The caller has checked the length.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const DIRECTORY_HEADER: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: u32 = 22;
const MAX_COMMENT: u32 = 65_535;
const MAX_DIRECTORY: u32 = 1 << 20;
const MAX_ENTRIES: usize = 5_000;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An archive that returns at most this many octets in one call.
    struct Bytes<'a>(&'a [u8], usize);

    impl Source for Bytes<'_> {
        fn size(&self) -> u32 {
            self.0.len() as u32
        }

        fn read(&self, offset: u32, length: u32) -> Vec<u8> {
            let length = self.1.min(length as usize);
            self.0
                .iter()
                .skip(offset as usize)
                .take(length)
                .copied()
                .collect()
        }
    }

    /// An archive without compression; each entry has a name in its local header and one in the
    /// directory.
    pub(crate) fn archive(entries: &[(&str, &str)], comment: &str) -> Vec<u8> {
        let (mut local, mut directory) = (Vec::new(), Vec::new());
        for (in_front, in_directory) in entries {
            local.extend(LOCAL_HEADER);
            local.extend([0; 14]);
            local.extend([4, 0, 0, 0, 4, 0, 0, 0, in_front.len() as u8, 0, 2, 0]);
            local.extend(in_front.as_bytes());
            local.extend(b"XXdata");
            directory.extend(DIRECTORY_HEADER);
            directory.extend([0; 24]);
            directory.extend([in_directory.len() as u8, 0, 1, 0, 1, 0]);
            directory.extend([0; 12]);
            directory.extend(in_directory.as_bytes());
            directory.extend(b"EC");
        }
        let mut end = END.to_vec();
        end.extend([0; 8]);
        end.extend((directory.len() as u32).to_le_bytes());
        end.extend((local.len() as u32).to_le_bytes());
        end.extend((comment.len() as u16).to_le_bytes());
        [local, directory, end, comment.into()].concat()
    }

    #[test]
    fn names_come_from_both_places() {
        let bytes = archive(&[("a.txt", "b.exe"), ("c.txt", "d.txt")], "");
        for chunk in [1 << 18, 50, 30] {
            let names = entry_names(&Bytes(&bytes, chunk)).unwrap();
            assert_eq!(names, ["b.exe", "d.txt", "a.txt", "c.txt"], "{chunk}");
        }
    }

    #[test]
    fn a_comment_does_not_hide_the_directory() {
        let bytes = archive(&[("a.txt", "b.exe")], &"x".repeat(60_000));
        let names = entry_names(&Bytes(&bytes, 1 << 18)).unwrap();
        assert_eq!(names, ["b.exe", "a.txt"]);
    }

    #[test]
    fn an_archive_without_its_end_still_has_names() {
        let bytes = archive(&[("a.exe", "a.exe")], "");
        let cut = &bytes[..bytes.len() - 30];
        assert_eq!(entry_names(&Bytes(cut, 1 << 18)).unwrap(), ["a.exe"]);
        assert_eq!(
            entry_names(&Bytes(b"PK\x03\x04", 1 << 18)).unwrap(),
            [""; 0]
        );
    }

    #[test]
    fn an_archive_of_too_many_entries_is_not_looked_through() {
        let many = vec![("a", "a"); MAX_ENTRIES + 1];
        let bytes = archive(&many, "");
        assert_eq!(entry_names(&Bytes(&bytes, 1 << 18)), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn any_octets_end_well(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200),
            ends in prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize), 0..4),
        ) {
            for (index, kind) in ends {
                let signature = [LOCAL_HEADER, DIRECTORY_HEADER, END][kind];
                if bytes.len() >= 4 {
                    let at = index.index(bytes.len() - 3);
                    bytes[at..at + 4].copy_from_slice(signature);
                }
            }
            // An entry takes at least 46 octets in the directory, and 30 for its local header.
            if let Ok(names) = entry_names(&Bytes(&bytes, 64)) {
                prop_assert!(names.len() <= bytes.len() / 46 + bytes.len() / 30);
            }
        }
    }
}
