//! Detects the type of a file by its content, whatever its name.

use crate::source::Source;

/// The kind of program; `None` for anything else.
pub(crate) fn executable(start: &[u8]) -> Option<&'static str> {
    match start {
        [b'M', b'Z', ..] if !is_text(start) => Some("a Windows program"),
        [0x7f, b'E', b'L', b'F', ..] => Some("a Linux program"),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => {
            Some("a macOS program")
        }
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, ..] | [0xbe | 0xbf, 0xba, 0xfe, 0xca, ..] => {
            Some("a macOS or Java program")
        }
        [0x4c, 0, 0, 0, 1, 0x14, 2, 0, ..] => Some("a Windows shortcut"),
        [b'd', b'e', b'x', b'\n', b'0', ..] => Some("an Android program"),
        _ => None,
    }
}

/// True if a program for Windows is not only one for DOS, which two octets are enough for.
pub(crate) fn is_portable_executable(source: &dyn Source) -> bool {
    let offset = source.read(60, 4).try_into().map(u32::from_le_bytes);
    offset.is_ok_and(|offset| source.read(offset, 4) == b"PE\0\0")
}

/// True if the content is a script with the name of its interpreter.
pub(crate) fn is_script(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    start.starts_with(b"#!")
        && start
            .get(2..)
            .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"/"))
}

/// The kind of what a system installs or mounts; `None` for anything else.
pub(crate) fn installable(start: &[u8], source: &dyn Source) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| has(start, offset, magic);
    match start {
        _ if at(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") => {
            is_installer(start, source).then_some("a Windows installer")
        }
        _ if at(0, b"!<arch>\ndebian") => Some("a Debian package"),
        _ if at(0, b"\xed\xab\xee\xdb") => Some("an RPM package"),
        _ if at(0, b"Cr24") => Some("a browser extension"),
        _ if at(0, b"ITSF\x03\0\0\0") => Some("a compiled help file"),
        _ if at(0, b"vhdxfile") || at(0, b"conectix") => Some("a disk image"),
        _ if is_disk(start) || has_image_marks(source) => Some("a disk image"),
        _ => None,
    }
}

/// True for a compound file (MS-CFB) whose root has one of the classes of Windows Installer: packages,
/// patches and transforms.
fn is_installer(start: &[u8], source: &dyn Source) -> bool {
    let Some(&shift) = start.get(30) else {
        return false;
    };
    let sector = start.get(48..52).and_then(|octets| octets.try_into().ok());
    let (Some(sector), 7..=16) = (sector.map(u32::from_le_bytes), shift) else {
        return false;
    };
    let root = sector
        .checked_add(1)
        .and_then(|number| number.checked_mul(1 << shift));
    let class = root
        .and_then(|root| root.checked_add(80))
        .map(|offset| source.read(offset, 16));
    class.is_some_and(|class| {
        matches!(
            class.first_chunk(),
            Some([0x82 | 0x84 | 0x86, 0x10, 0x0c, 0])
        ) && class[4..] == INSTALLER
    })
}

/// True for the first sector of a disk, or of a file system of Windows: it begins with code, or has a table
/// of partitions.
fn is_disk(start: &[u8]) -> bool {
    let is_jump = matches!(
        start,
        [0xeb, _, 0x90, ..] | [0xe9, ..] | [0x33, 0xc0, 0x8e | 0xfa, ..]
    );
    let table = start.get(446..510).unwrap_or_default();
    let is_whole = |entry: &[u8]| matches!(entry[0], 0 | 0x80);
    // A kind, a first sector, and a number of sectors.
    let is_used = |entry: &[u8]| entry[4] != 0 && entry[8..12] != [0; 4] && entry[12..] != [0; 4];
    let has_partitions =
        table.chunks_exact(16).all(is_whole) && table.chunks_exact(16).any(is_used);
    (is_jump || has_partitions) && has(start, 510, b"\x55\xaa")
}

/// True if the marks of a disk image are where a system looks for them: those of ISO 9660 and UDF in
/// the sectors 16 to 18, and those of VHD and of macOS at the end.
fn has_image_marks(source: &dyn Source) -> bool {
    let length = source.len();
    let mut sectors = Vec::new();
    if length > IMAGE_SECTOR {
        sectors = source.read(IMAGE_SECTOR, 3 * 2_048);
    }
    let is_disc = sectors.chunks(2_048).any(|sector| {
        let mark = sector.get(1..6).unwrap_or_default();
        matches!(mark, b"CD001" | b"BEA01" | b"NSR02" | b"NSR03")
    });
    let end = source.read(length.saturating_sub(512), 512);
    // Some old images of VHD lack the last octet.
    let is_fixed = end.starts_with(b"conectix") || has(&end, 1, b"conectix");
    is_disc || is_fixed || end.starts_with(b"koly\0\0\0\x04")
}

/// What content consists of, if it holds other files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    /// Nobody can look into it, for this reason.
    Closed(&'static str),
    Gzip,
    Tar,
    Tnef,
    Zip,
}

impl Container {
    /// The container that begins with these octets; `None` for anything else.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        let at = |offset: usize, magic: &[u8]| has(start, offset, magic);
        let closed = match start {
            _ if at(0, b"PK\x03\x04") => return Some(Self::Zip),
            _ if at(0, b"\x1f\x8b\x08") => return Some(Self::Gzip),
            _ if at(0, b"\x78\x9f\x3e\x22") => return Some(Self::Tnef),
            _ if is_tar(start) => return Some(Self::Tar),
            _ if at(0, b"7z\xbc\xaf\x27\x1c") => "a 7z archive",
            _ if at(0, b"Rar!\x1a\x07") => "a RAR archive",
            _ if at(0, b"MSCF\0\0\0\0") => "a cabinet",
            _ if at(7, b"**ACE**") => "an ACE archive",
            [0x60, 0xea, low, high, 30..=50, ..]
                if (10..=2_600).contains(&u16::from_le_bytes([*low, *high])) =>
            {
                "an ARJ archive"
            }
            _ if (at(2, b"-lh") || at(2, b"-lz")) && at(6, b"-") => "an LZH archive",
            _ if at(0, b"MSWIM\0") => "a WIM image",
            _ if at(0, b"xar!") => "a XAR archive",
            _ if at(0, b"\0\x05\x16\0") => "an AppleSingle file",
            _ if at(0, b"\xfd7zXZ\0") => "compressed with xz",
            _ if at(0, b"BZh") && at(4, b"1AY&SY") => "compressed with bzip2",
            _ if at(0, b"\x28\xb5\x2f\xfd") => "compressed with Zstandard",
            _ if at(0, b"LZIP") => "compressed with lzip",
            _ if at(0, b"\x04\x22\x4d\x18") => "compressed with LZ4",
            [0x1f, 0x9d, bits, ..] if (9..=16).contains(&(bits & 0x1f)) => {
                "compressed with compress"
            }
            _ if at(0, b"070701") || at(0, b"070707") => "a cpio archive",
            _ if at(0, b"SQSH") || at(0, b"hsqs") => "a file system",
            _ => return None,
        };
        Some(Self::Closed(closed))
    }
}

/// True if the checksum of a tar header is right (POSIX.1-1988, ustar).
pub(crate) fn is_tar(header: &[u8]) -> bool {
    let Some(header) = header.get(..512) else {
        return false;
    };
    let field = &header[148..156];
    let digits = field.trim_ascii_start();
    let count = digits
        .iter()
        .take_while(|octet| matches!(octet, b'0'..=b'7'));
    let digits = &digits[..count.count()];
    let sum = digits
        .iter()
        .fold(0_u32, |sum, digit| sum << 3 | u32::from(digit - b'0'));
    let others = header[..148].iter().chain(&header[156..]);
    let all = others.clone().map(|octet| u32::from(*octet)).sum::<u32>() + 8 * 32;
    // Some old programs add signed octets.
    let signed = others
        .map(|octet| i32::from(octet.cast_signed()))
        .sum::<i32>()
        + 8 * 32;
    let is_sum = sum == all || i64::from(sum) == i64::from(signed);
    header[0] != 0 && digits.len() >= 3 && is_sum
}

fn has(start: &[u8], offset: usize, magic: &[u8]) -> bool {
    start
        .get(offset..)
        .is_some_and(|rest| rest.starts_with(magic))
}

/// A text may begin with `MZ`, too, but only the header of a program contains binary octets.
fn is_text(start: &[u8]) -> bool {
    start
        .iter()
        .take(HEADER)
        .all(|&byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
}

/// How many octets these functions need: a boot sector, or the header of a tar archive.
pub(crate) const START: u32 = 512;
/// The size of the header of a DOS program, in octets.
const HEADER: usize = 64;
/// Where the volume descriptors of ISO 9660 begin, in octets.
const IMAGE_SECTOR: u32 = 32_768;
/// The end of the classes of Windows Installer: 000C1084-0000-0000-C000-000000000046.
const INSTALLER: [u8; 12] = [0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Unpacked;

    #[test]
    fn programs_are_known_by_their_start() {
        let table: [(&[u8], Option<&str>); 12] = [
            (b"MZ\x90\x00\x03", Some("a Windows program")),
            (b"MZ is an abbreviation.\r\n", None),
            (b"MZ", None),
            (b"\x7fELF\x02", Some("a Linux program")),
            (b"\xcf\xfa\xed\xfe", Some("a macOS program")),
            (b"\xfe\xed\xfa\xce", Some("a macOS program")),
            (
                b"\xca\xfe\xba\xbe\0\0\0\x02",
                Some("a macOS or Java program"),
            ),
            (b"\xbf\xba\xfe\xca", Some("a macOS or Java program")),
            (b"L\0\0\0\x01\x14\x02\0", Some("a Windows shortcut")),
            (b"PK\x03\x04", None),
            (b"%PDF-1.7", None),
            (b"", None),
        ];
        for (start, expected) in table {
            assert_eq!(executable(start), expected, "{}", start.escape_ascii());
        }
    }

    fn kind(pieces: &[(usize, &[u8])], length: usize) -> Option<&'static str> {
        let mut octets = vec![0; length];
        for (offset, piece) in pieces {
            octets[*offset..offset + piece.len()].copy_from_slice(piece);
        }
        let mut source = Unpacked::default();
        source.extend(&octets);
        installable(&source.read(0, START), &source)
    }

    #[test]
    fn what_is_installed_or_mounted_is_known_by_its_marks() {
        let compound: (usize, &[u8]) = (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
        let class: &[u8] = &[
            0x84, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46,
        ];
        let word: &[u8] = &[
            0x06, 0x09, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46,
        ];
        let image = Some("a disk image");
        let installer = Some("a Windows installer");
        let partition: &[u8] = &[0x80, 1, 1, 0, 7, 9, 9, 9, 0, 8, 0, 0, 0, 0, 1, 0];
        let signed: (usize, &[u8]) = (510, b"\x55\xaa");
        let table: [(&[(usize, &[u8])], usize, Option<&str>); 21] = [
            (&[(0, b"koly\0\0\0\x04")], 512, image),
            (&[(2_048, b"conectix")], 2_560, image),
            (&[(2_049, b"conectix")], 2_560, image),
            (&[(446, partition), signed], 40_000, image),
            (&[(462, partition), signed], 1_024, image),
            (&[(446, partition), (462, b"x"), signed], 1_024, None),
            (&[(446, partition)], 1_024, None),
            (
                &[compound, (30, &[9]), (48, &[2]), (1_616, class)],
                4_096,
                installer,
            ),
            (
                &[compound, (30, &[12]), (48, &[0]), (4_176, class)],
                8_192,
                installer,
            ),
            (
                &[compound, (30, &[9]), (48, &[2]), (1_616, word)],
                4_096,
                None,
            ),
            (&[compound, (30, &[9]), (48, &[0xff; 4])], 4_096, None),
            (&[compound, (30, &[99])], 4_096, None),
            (&[compound], 20, None),
            (&[(32_769, b"CD001")], 40_000, image),
            (&[(34_817, b"NSR02")], 40_000, image),
            (&[(39_488, b"conectix")], 40_000, image),
            (&[(39_488, b"koly\0\0\0\x04")], 40_000, image),
            (
                &[(0, b"\xeb\x3c\x90MSDOS"), (510, b"\x55\xaa")],
                40_000,
                image,
            ),
            (&[(510, b"\x55\xaa")], 40_000, None),
            (&[(0, b"CD001")], 40_000, None),
            (&[], 0, None),
        ];
        for (number, (pieces, length, expected)) in table.into_iter().enumerate() {
            assert_eq!(kind(pieces, length), expected, "{number}");
        }
    }
}
