//! Texts of somebody else in messages for people.

use std::fmt::{self, Display, Write as _};
use std::path::Path;

/// Shows a text in one line: line breaks, control characters and characters that nobody sees are
/// escaped, so that a text of a plugin file forges neither lines of a log nor what a terminal shows.
#[derive(Clone, Copy, Debug)]
pub struct Printable<T>(pub T);

impl<T: Display> Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// A path as [`Printable`] shows a text. Octets that are not UTF-8 are escaped as in `\xFF`.
pub(crate) fn printable_path(path: &Path) -> impl Display {
    fmt::from_fn(move |f| {
        for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
            write!(f, "{}", Printable(chunk.valid()))?;
            chunk
                .invalid()
                .iter()
                .try_for_each(|octet| write!(f, "\\x{octet:02X}"))?;
        }
        Ok(())
    })
}

/// Writes what a formatter is given, with escapes.
struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| match character {
            ' '..='~' => self.0.write_char(character),
            _ => {
                // Behind a letter, a combining accent is left as it is.
                let pair = String::from_iter(['a', character]);
                let mut shown = pair.escape_debug().skip(1);
                shown.try_for_each(|character| self.0.write_char(character))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn what_nobody_sees_is_escaped() {
        let table = [
            ("postgate:plugin/log@0.1.0", "postgate:plugin/log@0.1.0"),
            (r#"it's "é" \"#, r#"it's "é" \"#),
            ("e\u{301}", "e\u{301}"),
            ("a\nb\r\t\0", r"a\nb\r\t\0"),
            ("\u{1b}[2J\u{7f}", r"\u{1b}[2J\u{7f}"),
            ("\u{202e}cba\u{2028}", r"\u{202e}cba\u{2028}"),
        ];
        for (text, shown) in table {
            assert_eq!(Printable(text).to_string(), shown);
        }
    }

    #[test]
    fn each_octet_of_a_path_is_shown() {
        let path = OsStr::from_bytes(b"plugins/\xFF-\xC3\xA9\n.wasm");
        let shown = printable_path(Path::new(path)).to_string();
        assert_eq!(shown, r"plugins/\xFF-é\n.wasm");
    }
}
