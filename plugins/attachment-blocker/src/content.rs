//! Detects the type of a file by its first octets, whatever its name.

/// The kind of program; `None` for anything else.
pub(crate) fn executable(start: &[u8]) -> Option<&'static str> {
    match start {
        [b'M', b'Z', ..] if !is_text(start) => Some("a Windows program"),
        [0x7f, b'E', b'L', b'F', ..] => Some("a Linux program"),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => {
            Some("a macOS program")
        }
        _ => None,
    }
}

/// A text may begin with `MZ`, too, but only the header of a program contains binary octets.
fn is_text(start: &[u8]) -> bool {
    start
        .iter()
        .all(|&byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
}

/// How many octets [`executable`] needs: the size of the header of a DOS program.
pub(crate) const START: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_start() {
        let table: [(&[u8], Option<&str>); 9] = [
            (b"MZ\x90\x00\x03", Some("a Windows program")),
            (b"MZ is an abbreviation.\r\n", None),
            (b"MZ", None),
            (b"\x7fELF\x02", Some("a Linux program")),
            (b"\xcf\xfa\xed\xfe", Some("a macOS program")),
            (b"\xfe\xed\xfa\xce", Some("a macOS program")),
            (b"PK\x03\x04", None),
            (b"%PDF-1.7", None),
            (b"", None),
        ];
        for (start, expected) in table {
            assert_eq!(executable(start), expected, "{}", start.escape_ascii());
        }
    }
}
