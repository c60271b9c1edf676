//! Detects the type of a file by its first octets, whatever its name.

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
        [b'v', b'h', b'd', b'x', b'f', b'i', b'l', b'e', ..] => Some("a disk image"),
        _ => None,
    }
}

/// True if the content is a script with the name of its interpreter.
pub(crate) fn is_script(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    start.starts_with(b"#!")
        && start
            .get(2..)
            .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"/"))
}

/// What content is that holds other files and cannot be looked into; `None` for anything else.
pub(crate) fn closed(start: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| {
        start
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    match start {
        _ if at(0, b"7z\xbc\xaf\x27\x1c") => Some("a 7z archive"),
        _ if at(0, b"Rar!\x1a\x07") => Some("a RAR archive"),
        _ if at(0, b"MSCF") => Some("a cabinet"),
        _ if at(7, b"**ACE**") => Some("an ACE archive"),
        _ if at(0, b"\x60\xea") => Some("an ARJ archive"),
        _ if at(2, b"-lh") && at(6, b"-") => Some("an LZH archive"),
        _ if at(0, b"MSWIM\0") => Some("a WIM image"),
        _ if at(0, b"xar!") => Some("a XAR archive"),
        _ if at(0, b"\x78\x9f\x3e\x22") => Some("a TNEF container (winmail.dat)"),
        _ if at(257, b"ustar") => Some("a tar archive"),
        _ if at(0, b"\0\x05\x16\0") => Some("an AppleSingle file"),
        _ => None,
    }
}

/// A text may begin with `MZ`, too, but only the header of a program contains binary octets.
fn is_text(start: &[u8]) -> bool {
    start
        .iter()
        .take(HEADER)
        .all(|&byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
}

/// How many octets these functions need: up to the magic number of a tar archive.
pub(crate) const START: u32 = 512;
/// The size of the header of a DOS program, in octets.
const HEADER: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

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
}
