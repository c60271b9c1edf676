//! The form of reply lines.

/// Each line has a code, a space or a hyphen, printable text, and CRLF, in at most 512 octets.
///
/// # Panics
///
/// Panics if a line is malformed.
pub(super) fn assert_reply_lines(said: &[u8]) {
    for line in said.split_inclusive(|octet| *octet == b'\n') {
        let shown = line.escape_ascii();
        let text = line
            .strip_suffix(b"\r\n")
            .unwrap_or_else(|| panic!("no line end: {shown}"));
        assert!(line.len() <= 512, "too long: {shown}");
        assert!(
            !text.iter().any(|octet| octet.is_ascii_control()),
            "a control: {shown}"
        );
        let (code, rest) = text.split_at_checked(3).unwrap_or((text, b""));
        assert!(code.iter().all(u8::is_ascii_digit), "no code: {shown}");
        assert!(
            matches!(rest.first(), Some(b' ' | b'-')),
            "no text: {shown}"
        );
    }
}
